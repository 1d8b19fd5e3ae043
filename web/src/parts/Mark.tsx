import type { ReactNode } from "react";

/** The Plimsoll mark: a circle, and the line that must stay above the water. */
export function Mark({ size = 26 }: { size?: number }): ReactNode {
  return (
    <svg className="mark" width={size} height={size} viewBox="0 0 32 32" fill="none" stroke="currentColor" aria-hidden="true">
      <circle cx="16" cy="16" r="10" strokeWidth="2.6" />
      <path d="M1.5 16h29" strokeWidth="2.6" />
    </svg>
  );
}
