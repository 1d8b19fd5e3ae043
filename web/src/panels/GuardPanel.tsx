/** The guard: how near the account is to being closed, and what it does when it gets there. */

import { Button } from "@mantine/core";
import type { ReactNode } from "react";
import { api, data } from "../api/client";
import { useGuards } from "../api/queries";
import type { Countdown, Flattened, Guard } from "../api/types";
import { useDesk } from "../app/desk-context";
import { amount, forGauge, percent } from "../format/decimal";
import { clockTime, countdownText, leftNow, moment } from "../format/time";
import { guardStatus, plain } from "../format/words";
import { Ask, useAsked } from "../parts/Ask";
import { Asked } from "../parts/Asked";
import { Panel } from "../parts/Panel";
import { useNow } from "../parts/useNow";
import { Value } from "../parts/Value";
import { usePulse } from "../stream/hooks";
import { FlattenOutcome, FlattenWords } from "./stop-words";

type Question = "close" | "lift";

export function GuardPanel(): ReactNode {
  const { portfolio, mayTrade } = useDesk();
  const guards = useGuards();
  const pulse = usePulse(portfolio.account);
  const [question, ask, leave] = useAsked<Question>();
  return (
    <Panel title="Guard" id="guard">
      <Asked query={guards}>
        {(told) => {
          const shown = told.items.filter((guard) => guard.account === portfolio.account);
          if (shown.length === 0) return <p className="none">No guard watches this account.</p>;
          return shown.map((guard) => {
            // The newer word counts: an event is acted on before the next pulse comes.
            const newer = pulse !== undefined && pulse.at > told.receivedAt && pulse.value.guard.kind === guard.kind;
            return newer ? (
              <OneGuard key={guard.kind} guard={pulse.value.guard} receivedAt={pulse.at} mayTrade={mayTrade} ask={ask} />
            ) : (
              <OneGuard key={guard.kind} guard={guard} receivedAt={told.receivedAt} mayTrade={mayTrade} ask={ask} />
            );
          });
        }}
      </Asked>
      {guards.data !== undefined && guards.data.history.length > 0 && <History rows={guards.data.history} />}
      {question === "close" && <CloseNow account={portfolio.account} onClose={leave} />}
      {question === "lift" && <LiftGuard account={portfolio.account} onClose={leave} />}
    </Panel>
  );
}

interface OneGuardProps {
  guard: Guard;
  receivedAt: number;
  mayTrade: boolean;
  ask: (question: Question) => void;
}

function OneGuard({ guard, receivedAt, mayTrade, ask }: OneGuardProps): ReactNode {
  return (
    <div className={`guard guard-${guard.status.toLowerCase()}`} data-status={guard.status} data-testid="guard-state">
      <p className="guard-status">
        {guardStatus(guard.status)}
        {guard.blind !== "" && <span className="small"> {guard.blind}</span>}
      </p>
      {guard.countdown !== null && <Counting countdown={guard.countdown} receivedAt={receivedAt} line={guard.line} />}
      <Drawdown guard={guard} />
      {guard.countdown !== null && (
        <Button size="xs" color="signal" disabled={!mayTrade} onClick={() => ask("close")} data-testid="close-now">
          Close now
        </Button>
      )}
      {guard.status === "LATCHED" && (
        <>
          <p className="small">
            Closed {guard.closed_count} {guard.closed_count === 1 ? "position" : "positions"}, lost <span className="num">{amount(guard.loss)}</span>.
          </p>
          <Button size="xs" variant="default" disabled={!mayTrade} onClick={() => ask("lift")} data-testid="lift-guard">
            Open it again
          </Button>
        </>
      )}
    </div>
  );
}

function Counting({ countdown, receivedAt, line }: { countdown: Countdown; receivedAt: number; line: string }): ReactNode {
  const left = leftNow({ seconds: countdown.seconds_left, receivedAt }, useNow(200));
  // The seconds are for the eye: spoken one by one they would drown the sentence.
  return (
    <div className="countdown" role="alert">
      <strong className="num" aria-hidden="true" data-testid="countdown">
        {countdownText(left)}
      </strong>{" "}
      Everything will be closed at {clockTime(countdown.deadline)}
      {line !== "" && ` (${plain(line)})`}. Nobody may cancel it.
    </div>
  );
}

/** Drawdown on its way to the lines. */
function Drawdown({ guard }: { guard: Guard }): ReactNode {
  // The scale ends a little beyond the close line, which is where it is over.
  const scale = (ratio: string): string => `${Math.min(100, (forGauge(ratio) / (forGauge(guard.close_at) * 1.15)) * 100)}%`;
  const why = guard.blind === "" ? "the account cannot be valued" : guard.blind;
  return (
    <div className="drawdown">
      <div className="drawdown-bar" aria-hidden="true">
        {guard.drawdown !== null && <span className="drawdown-now" style={{ width: scale(guard.drawdown) }} />}
        <i style={{ left: scale(guard.warn_at) }} />
        <i className="drawdown-close" style={{ left: scale(guard.close_at) }} />
      </div>
      <p className="small">
        Drawdown <Value text={percent(guard.drawdown, 2)} why={why} /> · warns at <span className="num">{percent(guard.warn_at, 0)}</span> · closes
        all at <span className="num">{percent(guard.close_at, 0)}</span>, or below <span className="num">{amount(guard.min_equity, 0)}</span>
      </p>
    </div>
  );
}

function History({ rows }: { rows: readonly Guard[] }): ReactNode {
  const today = new Date();
  return (
    <details className="history">
      <summary>History ({rows.length})</summary>
      <ul>
        {rows.map((row, at) => (
          <li key={at}>
            {row.last_check_at !== null && <time dateTime={row.last_check_at}>{moment(row.last_check_at, today)}</time>} {guardStatus(row.status)}
            {row.drawdown !== null && <> at {percent(row.drawdown)}</>}
            {row.closed_count > 0 && (
              <>
                , closed {row.closed_count}, lost <span className="num">{amount(row.loss)}</span>
              </>
            )}
          </li>
        ))}
      </ul>
    </details>
  );
}

function CloseNow({ account, onClose }: { account: string; onClose: () => void }): ReactNode {
  return (
    <Ask<Flattened>
      title="Close everything now?"
      confirm="Close now"
      danger
      onClose={onClose}
      act={() => data(api.POST("/api/v1/halts/flatten", { body: { account, reason: "closed before the guard did" } }))}
      became={(outcome) => <FlattenOutcome outcome={outcome} />}
    >
      <FlattenWords />
    </Ask>
  );
}

function LiftGuard({ account, onClose }: { account: string; onClose: () => void }): ReactNode {
  return (
    <Ask
      title="Open the guard again?"
      confirm="Open it again"
      onClose={onClose}
      act={() => data(api.POST("/api/v1/halts/lift", { body: { source: "guard:drawdown", account } }))}
    >
      <p>Trading may begin again. The peak starts anew at what the account is worth now, so the loss that closed it no longer counts towards the next close.</p>
    </Ask>
  );
}
