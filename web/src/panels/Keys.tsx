import { Button, Checkbox, Group, NativeSelect, TextInput } from "@mantine/core";
import { useMutation, useQueryClient } from "@tanstack/react-query";
import { useState, type ReactNode, type SyntheticEvent } from "react";
import { api, data } from "../api/client";
import { useKeys } from "../api/queries";
import type { Key, MadeKey, Right } from "../api/types";
import { moment } from "../format/time";
import { Ask, useAsked } from "../parts/Ask";
import { Asked } from "../parts/Asked";
import { ProblemNote } from "../parts/ProblemNote";

const RIGHTS: Right[] = ["read", "trade", "admin"];
const LIFETIMES = ["7", "30", "90"];

/** API keys: make one, see its secret once, revoke it. */
export function Keys(): ReactNode {
  const keys = useKeys();
  const client = useQueryClient();
  const [made, setMade] = useState<MadeKey | null>(null);
  const [revoking, askToRevoke, leave] = useAsked<Key>();
  const today = new Date();
  const reread = (): Promise<void> => client.invalidateQueries({ queryKey: ["keys"] });
  return (
    <section aria-labelledby="keys-title" data-testid="keys">
      <h2 id="keys-title">API keys</h2>
      <Asked query={keys}>
        {(told) =>
          told.items.length === 0 ? (
            <p className="small">No key yet. A key lets a program do what its rights say, without your password.</p>
          ) : (
            <ul className="keys">
              {told.items.map((key) => (
                <li key={key.id}>
                  <div>
                    <strong>{key.name}</strong> <code>{key.prefix}…</code>
                    <div className="small">
                      {key.rights.join(", ")} · until {moment(key.expires_at, today)} ·{" "}
                      {key.last_used_at === null ? "never used" : `used ${moment(key.last_used_at, today)}`}
                    </div>
                  </div>
                  <Button size="compact-xs" variant="default" onClick={() => askToRevoke(key)} aria-label={`Revoke ${key.name}`}>
                    Revoke
                  </Button>
                </li>
              ))}
            </ul>
          )
        }
      </Asked>
      {made === null ? (
        <NewKey
          onMade={(key) => {
            setMade(key);
            void reread();
          }}
        />
      ) : (
        <Secret made={made} done={() => setMade(null)} />
      )}
      {revoking !== null && (
        <Ask
          title={`Revoke ${revoking.name}?`}
          confirm="Revoke key"
          danger
          onClose={leave}
          act={async () => {
            await data(api.DELETE("/api/v1/keys/{key_id}", { params: { path: { key_id: revoking.id } } }));
            await reread();
          }}
        >
          <p>Whoever uses it is refused from now on, open streams included. It cannot be brought back.</p>
        </Ask>
      )}
    </section>
  );
}

function NewKey({ onMade }: { onMade: (key: MadeKey) => void }): ReactNode {
  const [name, setName] = useState("");
  const [rights, setRights] = useState<Right[]>(["read"]);
  const [days, setDays] = useState("90");
  const make = useMutation({
    mutationFn: () => data(api.POST("/api/v1/keys", { body: { name: name.trim(), rights, days: parseInt(days, 10) } })),
    onSuccess: onMade,
  });
  const ready = name.trim() !== "" && rights.length > 0;

  function submit(event: SyntheticEvent): void {
    event.preventDefault();
    if (ready) make.mutate();
  }

  return (
    <form className="stack" onSubmit={submit}>
      <div className="ticket-row">
        <TextInput label="Name of the new key" value={name} maxLength={60} autoComplete="off" onChange={(event) => setName(event.currentTarget.value)} />
        <NativeSelect
          label="Days"
          data={LIFETIMES}
          value={days}
          onChange={(event) => setDays(event.currentTarget.value)}
        />
      </div>
      <Checkbox.Group value={rights} onChange={(chosen) => setRights(RIGHTS.filter((right) => chosen.includes(right)))} aria-label="Rights">
        <Group gap="md">
          {RIGHTS.map((right) => (
            <Checkbox key={right} size="xs" value={right} label={right} />
          ))}
        </Group>
      </Checkbox.Group>
      <ProblemNote failure={make.error} />
      <Button type="submit" variant="default" disabled={!ready} loading={make.isPending} data-testid="make-key">
        Make key
      </Button>
    </form>
  );
}

function Secret({ made, done }: { made: MadeKey; done: () => void }): ReactNode {
  const [copied, setCopied] = useState(false);
  return (
    <div className="note note-warn" role="status" data-testid="new-secret">
      <p>
        This is <strong>{made.name}</strong>. It is shown this once: the desk keeps only its hash.
      </p>
      <code className="secret">{made.secret}</code>
      <Group gap="xs">
        <Button size="compact-sm" variant="default" onClick={() => void navigator.clipboard.writeText(made.secret).then(() => setCopied(true))}>
          {copied ? "Copied" : "Copy"}
        </Button>
        <Button size="compact-sm" onClick={done}>
          I have it
        </Button>
      </Group>
    </div>
  );
}
