import type { ReactNode } from "react";
import type { Check } from "../api/types";
import { Reasons } from "../parts/ProblemNote";

/** Every check of the gate: what refuses first, then what warns; what passed is folded away. */
export function Checks({ checks }: { checks: readonly Check[] }): ReactNode {
  const of = (outcome: Check["outcome"]): Check[] => checks.filter((check) => check.outcome === outcome);
  const refusing = of("REFUSE");
  const warning = of("WARN");
  const passed = of("PASS");
  const idle = of("NOT_APPLICABLE");
  return (
    <div className="checks" data-testid="checks">
      {refusing.length > 0 && (
        <div className="note note-bad">
          <h3>{refusing.length === 1 ? "The gate would refuse this" : `The gate would refuse this for ${refusing.length} reasons`}</h3>
          <Reasons reasons={refusing} />
        </div>
      )}
      {warning.length > 0 && (
        <div className="note note-warn">
          <h3>Mind</h3>
          <Reasons reasons={warning} />
        </div>
      )}
      <details>
        <summary>
          {passed.length} checks passed{idle.length > 0 && `, ${idle.length} do not apply`}
        </summary>
        <ol className="passed">
          {[...passed, ...idle]
            .sort((a, b) => a.number - b.number)
            .map((check) => (
              <li key={check.number} className={check.outcome === "PASS" ? undefined : "idle"} title={check.sentence}>
                <span className="num">{check.number}</span> {check.name}
                <span className="sr-only">{check.outcome === "PASS" ? ": passed" : ": does not apply"}</span>
              </li>
            ))}
        </ol>
      </details>
    </div>
  );
}
