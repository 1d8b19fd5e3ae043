/** What is wrong, said in a line below the header for as long as it is. */

import type { ReactNode } from "react";
import { useHealth } from "../api/queries";
import { age, countdownText, leftNow, type Told } from "../format/time";
import { guardStatus } from "../format/words";
import { useNow } from "../parts/useNow";
import { useLink, usePulse } from "../stream/hooks";
import { useDesk } from "./desk-context";

export function Banners(): ReactNode {
  const link = useLink();
  const health = useHealth().data;
  return (
    <div aria-live="polite">
      {link.state === "reconnecting" && <Cut since={link.since} />}
      <GuardBanner />
      {link.state === "live" && health?.status === "degraded" && (
        <div className="banner" data-testid="degraded">
          {health.reasons.length === 0 ? "Something is in doubt, and the desk does not say what." : health.reasons.join(" · ")}
        </div>
      )}
    </div>
  );
}

/** The guard's news where nobody can overlook them; the guard's own panel has the rest and the buttons. */
function GuardBanner(): ReactNode {
  const { portfolio } = useDesk();
  const pulse = usePulse(portfolio.account);
  if (pulse === undefined || QUIET.has(pulse.value.guard.status)) return null;
  const { status, blind, countdown } = pulse.value.guard;
  return (
    <div className={`banner ${status === "BLIND" || status === "WARNED" ? "" : "banner-cut"}`} data-testid="guard-banner">
      <a href="#guard-title">Guard</a>: {guardStatus(status)}
      {countdown !== null && <Left seconds={countdown.seconds_left} receivedAt={pulse.at} />}
      {blind !== "" && `. ${blind}`}
    </div>
  );
}

const QUIET: ReadonlySet<string> = new Set(["CALM"]);

function Left(told: Told): ReactNode {
  // A number that changes each second is no news to be spoken each second.
  return (
    <span className="num" aria-hidden="true">
      {" "}
      in {countdownText(leftNow(told, useNow(200)))}
    </span>
  );
}

function Cut({ since }: { since: number }): ReactNode {
  const seconds = (useNow(1_000) - since) / 1_000;
  return (
    <div className="banner banner-cut" data-testid="reconnecting">
      The desk does not answer: reconnecting. {seconds >= 1 && <span aria-hidden="true">What you see is {age(seconds)} old.</span>}
    </div>
  );
}
