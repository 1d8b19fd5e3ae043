import type { ReactNode } from "react";

export interface Column<Row> {
  /** Heading, and the label of the cell where rows are stacked on a narrow screen. */
  title: string;
  cell: (row: Row) => ReactNode;
  numeric?: boolean;
  /** Spans the stacked row. */
  lead?: boolean;
  /** Sentences, which may take several lines. */
  wraps?: boolean;
  /** Left out where rows are stacked. */
  wideOnly?: boolean;
}

interface RowsProps<Row> {
  caption: string;
  columns: readonly Column<Row>[];
  rows: readonly Row[];
  keyOf: (row: Row) => string;
  /** Said when there is nothing. */
  none: string;
  testId: string;
}

/** A table that becomes a stack of labelled rows on a phone. The roles are written out, since `display` would undo them. */
export function Rows<Row>({ caption, columns, rows, keyOf, none, testId }: RowsProps<Row>): ReactNode {
  if (rows.length === 0) return <p className="none">{none}</p>;
  return (
    <div className="rows-scroll">
      <table className="rows" role="table" data-testid={testId}>
        <caption className="sr-only">{caption}</caption>
        <thead role="rowgroup">
          <tr role="row">
            {columns.map((column) => (
              <th key={column.title} role="columnheader" scope="col" className={column.numeric === true ? "right" : undefined}>
                {column.title}
              </th>
            ))}
          </tr>
        </thead>
        <tbody role="rowgroup">
          {rows.map((row) => (
            <tr key={keyOf(row)} role="row" data-key={keyOf(row)}>
              {columns.map((column) => (
                <td key={column.title} role="cell" data-label={column.title} className={classOf(column)}>
                  {column.cell(row)}
                </td>
              ))}
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}

function classOf<Row>(column: Column<Row>): string {
  return [
    column.numeric === true ? "right num" : "",
    column.lead === true ? "lead" : "",
    column.wraps === true ? "wraps" : "",
    column.wideOnly === true ? "wide" : "",
  ]
    .join(" ")
    .trim();
}
