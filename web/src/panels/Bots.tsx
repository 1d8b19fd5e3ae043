import { Button } from "@mantine/core";
import { useMutation, useQueryClient } from "@tanstack/react-query";
import { useState, type ReactNode } from "react";
import { api, data } from "../api/client";
import { useBots } from "../api/queries";
import type { Bot, Temperature } from "../api/types";
import { useDesk } from "../app/desk-context";
import { change, exact } from "../format/decimal";
import { moment } from "../format/time";
import { Ask, useAsked } from "../parts/Ask";
import { Asked } from "../parts/Asked";
import { Panel } from "../parts/Panel";
import { ProblemNote } from "../parts/ProblemNote";
import { Rows, type Column } from "../parts/Rows";
import { Value } from "../parts/Value";
import { NewBot } from "./NewBot";

const TEMPERATURES: Record<Temperature, string> = { HOT: "Hot", WARM: "Warm", COOL: "Cool", FROZEN: "Frozen" };
const STATUSES: Record<Bot["status"], string> = { RUNNING: "running", STOPPED: "stopped", ERROR: "error" };

/** The bots: how warm their signal is, what they would do, and what keeps them from it. */
export function Bots(): ReactNode {
  const { mayTrade } = useDesk();
  const bots = useBots();
  const client = useQueryClient();
  const [starting, askToStart, leave] = useAsked<Bot>();
  const [making, setMaking] = useState(false);
  const stop = useMutation({
    mutationFn: (id: string) => data(api.POST("/api/v1/bots/{bot_id}/stop", { params: { path: { bot_id: id } } })),
    onSettled: () => client.invalidateQueries({ queryKey: ["bots"] }),
  });
  const today = new Date();

  const columns: Column<Bot>[] = [
    {
      title: "Bot",
      lead: true,
      cell: (bot) => (
        <>
          <span className="strong">{bot.name}</span>{" "}
          <span className="small under">
            {bot.strategy} · {bot.product_id}
          </span>
        </>
      ),
    },
    { title: "State", cell: (bot) => <span className={`bot-${bot.status.toLowerCase()}`}>{STATUSES[bot.status]}</span> },
    { title: "Signal", cell: (bot) => <Signal bot={bot} /> },
    {
      title: "Ready",
      wraps: true,
      cell: (bot) =>
        bot.status === "ERROR" ? <span className="bad">{bot.detail}</span> : bot.ready_to_trade ? "ready" : <span className="small">{bot.blocking_reason}</span>,
    },
    {
      title: "Evaluated",
      cell: (bot) => (bot.last_evaluation === null ? "not yet" : <time dateTime={bot.last_evaluation}>{moment(bot.last_evaluation, today)}</time>),
    },
    { title: "Holds", numeric: true, wideOnly: true, cell: (bot) => exact(bot.position_quantity) },
    {
      title: "Run",
      cell: (bot) =>
        bot.status === "RUNNING" ? (
          <Button size="compact-xs" variant="default" disabled={!mayTrade} onClick={() => stop.mutate(bot.id)} aria-label={`Stop ${bot.name}`}>
            Stop
          </Button>
        ) : (
          <Button size="compact-xs" variant="light" disabled={!mayTrade} onClick={() => askToStart(bot)} aria-label={`Start ${bot.name}`}>
            Start
          </Button>
        ),
    },
  ];

  return (
    <Panel
      title="Bots"
      id="bots"
      aside={
        <Button size="compact-xs" variant="default" disabled={!mayTrade} onClick={() => setMaking(true)} data-testid="new-bot">
          New bot
        </Button>
      }
    >
      <ProblemNote failure={stop.error} />
      <Asked query={bots}>
        {(told) => <Rows caption="Bots" columns={columns} rows={told.items} keyOf={(bot) => bot.id} none="No bot yet." testId="bots-table" />}
      </Asked>
      {starting !== null && (
        <Ask
          title={`Start ${starting.name}?`}
          confirm="Start bot"
          onClose={leave}
          act={async () => {
            await data(api.POST("/api/v1/bots/{bot_id}/start", { params: { path: { bot_id: starting.id } } }));
            await client.invalidateQueries({ queryKey: ["bots"] });
          }}
        >
          <p>
            It trades {starting.product_id} by itself from the next closed bar on, through the same gate as you. Stopping it leaves its position
            as it is.
          </p>
        </Ask>
      )}
      {making && <NewBot onClose={() => setMaking(false)} />}
    </Panel>
  );
}

function Signal({ bot }: { bot: Bot }): ReactNode {
  if (bot.temperature === null) return <span className="unknown">no signal yet</span>;
  return (
    <span className={`heat heat-${bot.temperature.toLowerCase()}`}>
      <i aria-hidden="true" />
      {TEMPERATURES[bot.temperature]} <Value text={change(bot.combined_score)} />
      {bot.recommended_action !== null && <span className="small"> {bot.recommended_action.toLowerCase()}</span>}
    </span>
  );
}
