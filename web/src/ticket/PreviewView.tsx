import { Button } from "@mantine/core";
import type { ReactNode } from "react";
import type { Instrument, Preview } from "../api/types";
import { amount, atStep, exact, percent } from "../format/decimal";
import { age } from "../format/time";
import { Figure } from "../parts/Figure";
import { Checks } from "./Checks";

interface PreviewViewProps {
  preview: Preview;
  instrument: Instrument | undefined;
  currency: string;
  takeLargest: (quantity: string) => void;
}

/** What the order would do, and what the gate would say. */
export function PreviewView({ preview, instrument, currency, takeLargest }: PreviewViewProps): ReactNode {
  const tick = instrument?.tick_size ?? null;
  const why = "it cannot be known now";
  const derivative = instrument?.is_derivative ?? false;
  const load = (text: string | null): string => percent(text) ?? "unknown";
  return (
    <div className="preview" data-testid="preview" data-approved={preview.approved}>
      <dl className="figures figures-tight">
        <Figure label="Quantity" text={exact(preview.quantity)} why={why} unit={instrument?.base} testId="preview-quantity" />
        <Figure label="Value" text={amount(preview.value)} why={why} unit={currency} />
        <Figure label="At about" text={atStep(preview.price, tick)} why={why} />
        <Figure label="Fee" text={amount(preview.fee, 4)} why={why} unit={currency} testId="preview-fee" />
        <Figure
          label={derivative ? `Margin at ${exact(preview.leverage) ?? ""}×` : "Takes"}
          text={preview.required_asset === currency ? amount(preview.required) : exact(preview.required)}
          why={why}
          unit={preview.required_asset}
        />
        <Figure label="Free after" text={amount(preview.available_after)} why={why} unit={currency} />
        <Figure label="Position after" text={exact(preview.position_after)} why={why} unit={instrument?.base} />
        {derivative && <Figure label="Liquidation" text={atStep(preview.liquidation_price, tick) ?? "none known"} />}
        {(preview.load_before !== null || preview.load_after !== null) && (
          <Figure label="Load" text={`${load(preview.load_before)} → ${load(preview.load_after)}`} testId="preview-load" />
        )}
      </dl>
      <Largest preview={preview} takeLargest={takeLargest} />
      <Checks checks={preview.checks} />
      <p className="small">
        {preview.price_source}, price {preview.quote_age_seconds === null ? "of unknown age" : `${age(preview.quote_age_seconds)} old`}
      </p>
    </div>
  );
}

function Largest({ preview, takeLargest }: Pick<PreviewViewProps, "preview" | "takeLargest">): ReactNode {
  const { largest_quantity: largest } = preview;
  if (largest === null) return null;
  return (
    <p className="largest small">
      Largest that would pass: <span className="num">{exact(largest)}</span>{" "}
      <Button size="compact-xs" variant="light" onClick={() => takeLargest(largest)} data-testid="use-largest">
        Use it
      </Button>
    </p>
  );
}
