import { Button, Group, Modal, NativeSelect, TextInput } from "@mantine/core";
import { useMutation, useQueryClient } from "@tanstack/react-query";
import { useState, type ReactNode, type SyntheticEvent } from "react";
import { api, data } from "../api/client";
import { useStrategies } from "../api/queries";
import { useDesk } from "../app/desk-context";
import { plain } from "../format/words";
import { ProblemNote } from "../parts/ProblemNote";

/** How many parameters are shown before the rest is folded away. */
const FIRST_PARAMS = 3;

/** Make a bot: a strategy, an instrument, and the parameters that differ from the usual ones. It does not start by itself. */
export function NewBot({ onClose }: { onClose: () => void }): ReactNode {
  const { portfolio, symbol, instruments } = useDesk();
  const client = useQueryClient();
  const strategies = useStrategies(true).data?.items ?? [];
  const [name, setName] = useState("");
  const [chosen, setChosen] = useState<string | null>(null);
  const [where, setWhere] = useState(symbol);
  const [given, setGiven] = useState<Record<string, string>>({});
  const strategy = strategies.find((one) => one.name === chosen) ?? strategies[0];
  const params = Object.entries(strategy?.params ?? {});

  const make = useMutation({
    mutationFn: () =>
      data(
        api.POST("/api/v1/bots", {
          body: {
            name: name.trim(),
            strategy: strategy?.name ?? "",
            symbol: where,
            // What was left blank keeps the strategy's own value, also when that changes with a later version.
            params: Object.fromEntries(Object.entries(given).filter(([, text]) => text.trim() !== "")),
            portfolio: portfolio.id,
          },
        }),
      ),
    onSuccess: async () => {
      await client.invalidateQueries({ queryKey: ["bots"] });
      onClose();
    },
  });

  function submit(event: SyntheticEvent): void {
    event.preventDefault();
    if (name.trim() !== "" && strategy !== undefined) make.mutate();
  }

  const field = ([param, usual]: [string, string]): ReactNode => (
    <TextInput
      key={param}
      label={plain(param)}
      placeholder={usual}
      value={given[param] ?? ""}
      autoComplete="off"
      onChange={(event) => setGiven({ ...given, [param]: event.currentTarget.value })}
    />
  );

  return (
    <Modal opened onClose={onClose} title="New bot" centered>
      <form onSubmit={submit} className="stack" data-testid="new-bot-form">
        <TextInput label="Name" value={name} maxLength={60} required data-autofocus autoComplete="off" onChange={(event) => setName(event.currentTarget.value)} />
        <NativeSelect
          label="Strategy"
          data={strategies.map((one) => one.name)}
          value={strategy?.name ?? ""}
          onChange={(event) => {
            setChosen(event.currentTarget.value);
            setGiven({});
          }}
        />
        <NativeSelect label="Instrument" data={instruments.map((one) => one.symbol)} value={where} onChange={(event) => setWhere(event.currentTarget.value)} />
        {params.slice(0, FIRST_PARAMS).map(field)}
        {params.length > FIRST_PARAMS && (
          <details>
            <summary>All {params.length} parameters</summary>
            <div className="stack">{params.slice(FIRST_PARAMS).map(field)}</div>
          </details>
        )}
        <ProblemNote failure={make.error} />
        <Group justify="flex-end" gap="xs">
          <Button variant="default" onClick={onClose}>
            Cancel
          </Button>
          <Button type="submit" loading={make.isPending} disabled={name.trim() === "" || strategy === undefined}>
            Make bot
          </Button>
        </Group>
      </form>
    </Modal>
  );
}
