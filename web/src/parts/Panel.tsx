import type { ReactNode } from "react";

interface PanelProps {
  title: string;
  id: string;
  aside?: ReactNode;
  children: ReactNode;
  className?: string;
}

/** A region of the page with a heading, divided from the next by a line and nothing else. */
export function Panel({ title, id, aside, children, className = "" }: PanelProps): ReactNode {
  return (
    <section className={`panel ${className}`} aria-labelledby={`${id}-title`} data-testid={id}>
      <header className="panel-head">
        <h2 id={`${id}-title`}>{title}</h2>
        {aside}
      </header>
      {children}
    </section>
  );
}
