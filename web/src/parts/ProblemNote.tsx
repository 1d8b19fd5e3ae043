import type { ReactNode } from "react";
import { ApiProblem } from "../api/client";
import type { Reason } from "../api/types";
import { exact } from "../format/decimal";

/** What the desk said no with: every reason, what was seen, the limit, and what to do. */
export function ProblemNote({ failure, id }: { failure: Error | null; id?: string }): ReactNode {
  if (failure === null) return null;
  const problem = failure instanceof ApiProblem ? failure : null;
  const reasons = problem?.reasons ?? [];
  return (
    <div className="note note-bad" role="alert" id={id} data-testid="problem">
      {reasons.length === 0 ? <p>{failure.message}</p> : <Reasons reasons={reasons} />}
      {problem !== null && problem.status >= 500 && <p className="small">Request {problem.requestId}</p>}
      {problem?.retryAfter != null && problem.status === 429 && <p className="small">Try again in {problem.retryAfter} s.</p>}
    </div>
  );
}

type Said = Pick<Reason, "sentence" | "observed" | "limit" | "remedy"> & { number?: number | null; name?: string | null };

export function Reasons({ reasons }: { reasons: readonly Said[] }): ReactNode {
  return (
    <ul className="reasons" data-testid="reasons">
      {reasons.map((reason, at) => (
        <li key={at}>
          <span>{reason.sentence}</span>
          <Measured reason={reason} />
          {reason.remedy !== "" && <span className="remedy">{reason.remedy}</span>}
        </li>
      ))}
    </ul>
  );
}

/** A bare number with its thousands apart; other words as they are. */
const readable = (text: string): string => exact(text) ?? text;

function Measured({ reason }: { reason: Said }): ReactNode {
  const parts = [
    reason.number == null ? "" : `control ${reason.number}${reason.name == null ? "" : `, ${reason.name}`}`,
    reason.observed === "" ? "" : `seen ${readable(reason.observed)}`,
    reason.limit === "" ? "" : `limit ${readable(reason.limit)}`,
  ].filter((part) => part !== "");
  return parts.length === 0 ? null : <span className="small num">{parts.join(" · ")}</span>;
}
