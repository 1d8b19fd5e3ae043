import type { ReactNode } from "react";
import { signOf } from "../format/decimal";
import { Value } from "./Value";

interface FigureProps {
  label: string;
  text: string | null;
  /** Said where the number is unknown. */
  why?: string | undefined;
  unit?: string | undefined;
  /** The number that decides whether it is shown as a gain or a loss. */
  toneOf?: string | null | undefined;
  strong?: boolean;
  testId?: string;
}

/** One labelled number of a list (`<dl>`). */
export function Figure({ label, text, why, unit, toneOf, strong = false, testId }: FigureProps): ReactNode {
  return (
    <div className={strong ? "figure figure-strong" : "figure"}>
      <dt>{label}</dt>
      <dd className={tone(toneOf)} data-testid={testId}>
        <Value text={text} why={why} />
        {text !== null && unit !== undefined && <span className="unit"> {unit}</span>}
      </dd>
    </div>
  );
}

/** The class of a gain or a loss; none for zero and the unknown. */
export function tone(text: string | null | undefined): string {
  const sign = signOf(text);
  return sign === 1 ? "gain" : sign === -1 ? "loss" : "";
}
