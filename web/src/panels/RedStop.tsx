/**
 * The red stop: always in reach, two steps, two strengths; and the way back.
 *
 * What if the answer is lost? Both commands can be asked again without harm: a stop that is in force stays, and what is
 * flat is left alone. The dialog says what the desk answered, never what was hoped for.
 */

import { Button, Modal } from "@mantine/core";
import { useState, type ReactNode } from "react";
import { api, data } from "../api/client";
import { useHalts } from "../api/queries";
import type { Flattened, Halt, Stopped } from "../api/types";
import { useDesk } from "../app/desk-context";
import { TRADING_STATES } from "../format/words";
import { Ask } from "../parts/Ask";
import { FlattenOutcome, FlattenWords, StopOutcome } from "./stop-words";

type Step = "shut" | "choose" | "stop" | "flatten" | "lift";

export function RedStop(): ReactNode {
  const { portfolio, mayTrade } = useDesk();
  const [step, setStep] = useState<Step>("shut");
  const leave = (): void => setStep("shut");
  const account = portfolio.account;
  return (
    <>
      <Button className="red-stop" color="signal" disabled={!mayTrade} onClick={() => setStep("choose")} aria-haspopup="dialog" data-testid="red-stop">
        Stop
      </Button>
      {step === "choose" && <Choose setStep={setStep} onClose={leave} />}
      {step === "stop" && (
        <Ask<Stopped>
          title="Stop opening?"
          confirm="Stop opening"
          danger
          onClose={leave}
          act={() => data(api.POST("/api/v1/halts", { body: { state: "REDUCE_ONLY", reason: "red stop", account } }))}
          became={(outcome) => <StopOutcome outcome={outcome} />}
        >
          <p>Nothing that opens is accepted any more on {portfolio.account_name}, bots included, until you lift it.</p>
          <p>Positions stay as they are and orders that wait keep waiting. Closing stays possible.</p>
        </Ask>
      )}
      {step === "flatten" && (
        <Ask<Flattened>
          title="Flatten everything?"
          confirm="Flatten everything"
          danger
          onClose={leave}
          act={() => data(api.POST("/api/v1/halts/flatten", { body: { reason: "red stop", account } }))}
          became={(outcome) => <FlattenOutcome outcome={outcome} />}
        >
          <FlattenWords />
        </Ask>
      )}
      {step === "lift" && (
        <Ask
          title="Trade again?"
          confirm="Lift the stop"
          onClose={leave}
          act={() => data(api.POST("/api/v1/halts/lift", { body: { source: "manual", account } }))}
        >
          <p>You take back your stop: orders that open are accepted again, and running bots go on. What a guard has stopped stays stopped.</p>
        </Ask>
      )}
    </>
  );
}

function Choose({ setStep, onClose }: { setStep: (step: Step) => void; onClose: () => void }): ReactNode {
  const { portfolio } = useDesk();
  const halts = useHalts().data?.items.filter((halt) => halt.account === null || halt.account === portfolio.account) ?? [];
  return (
    <Modal opened onClose={onClose} title="Stop" centered data-testid="stop-choice">
      <div className="stop-choices">
        <button type="button" className="stop-choice" onClick={() => setStep("stop")} data-testid="choose-stop">
          <strong>Stop opening</strong>
          <span>Nothing new. Positions and waiting orders stay.</span>
        </button>
        <button type="button" className="stop-choice stop-choice-red" onClick={() => setStep("flatten")} data-testid="choose-flatten">
          <strong>Flatten everything</strong>
          <span>Cancel our orders, close every position at the market, check that it is flat.</span>
        </button>
      </div>
      {halts.length > 0 && <InForce halts={halts} lift={() => setStep("lift")} />}
    </Modal>
  );
}

function InForce({ halts, lift }: { halts: readonly Halt[]; lift: () => void }): ReactNode {
  return (
    <div className="in-force">
      <h3>In force</h3>
      <ul>
        {halts.map((halt) => (
          <li key={`${halt.scope_type}:${halt.source}`}>
            <strong>{TRADING_STATES[halt.state].title}</strong> by {halt.source === "manual" ? "you" : halt.source}
            {halt.reason !== "" && `: ${halt.reason}`}
          </li>
        ))}
      </ul>
      {halts.some((halt) => halt.source === "manual") && (
        <Button size="xs" variant="default" onClick={lift} data-testid="lift">
          Lift your stop
        </Button>
      )}
    </div>
  );
}
