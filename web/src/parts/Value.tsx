import type { ReactNode } from "react";

/** A number, or plainly that it is not known, and why. Never a zero in place of an unknown. */
export function Value({ text, why }: { text: string | null; why?: string | undefined }): ReactNode {
  if (text !== null) return <span className="num">{text}</span>;
  return (
    <span className="unknown" title={why}>
      unknown{why === undefined ? null : <span className="sr-only">: {why}</span>}
    </span>
  );
}
