/** What flattening does, and what it came to: said the same way wherever it can be asked for. */

import type { ReactNode } from "react";
import type { Flattened, Stopped } from "../api/types";
import { change, exact } from "../format/decimal";
import { TRADING_STATES, closeOutcome } from "../format/words";
import { tone } from "../parts/Figure";

export function FlattenWords(): ReactNode {
  return (
    <>
      <p>What happens, in this order:</p>
      <ol>
        <li>Nothing that opens is accepted any more, bots included, until you lift it.</li>
        <li>Our waiting orders are cancelled.</li>
        <li>Every position is closed at the market, whatever the price is.</li>
        <li>The account is looked at again, and what is not flat is named.</li>
      </ol>
    </>
  );
}

export function FlattenOutcome({ outcome }: { outcome: Flattened }): ReactNode {
  return (
    <div data-testid="flattened" data-flat={outcome.flat}>
      <p className={outcome.flat ? "good strong" : "bad strong"}>{outcome.flat ? "The account is flat." : "The account is not flat yet."}</p>
      {outcome.positions.length === 0 && <p className="small">There was no position to close.</p>}
      <ul className="outcomes">
        {outcome.positions.map((closed) => (
          <li key={closed.position_id}>
            <strong>{closed.symbol}</strong>: {closeOutcome(closed.outcome)}
            {closed.outcome !== "FLAT" && (
              <>
                , left <span className="num">{exact(closed.quantity_left)}</span>
              </>
            )}
            {closed.outcome === "FLAT" && (
              <>
                , realised <span className={`num ${tone(closed.realized_pnl)}`}>{change(closed.realized_pnl)}</span>
              </>
            )}
          </li>
        ))}
      </ul>
      <Failures failures={outcome.failures} />
    </div>
  );
}

export function StopOutcome({ outcome }: { outcome: Stopped }): ReactNode {
  const state = TRADING_STATES[outcome.state];
  return (
    <div data-testid="stopped">
      <p className="good strong">
        {state.title}. {state.meaning}
      </p>
      {outcome.cancelled.length > 0 && <p>Taken back: {outcome.cancelled.join(", ")}.</p>}
      <Failures failures={outcome.failures} />
    </div>
  );
}

function Failures({ failures }: { failures: readonly string[] }): ReactNode {
  if (failures.length === 0) return null;
  return (
    <div className="note note-bad" role="alert">
      <p>This could not be done:</p>
      <ul>
        {failures.map((failure) => (
          <li key={failure}>{failure}</li>
        ))}
      </ul>
    </div>
  );
}
