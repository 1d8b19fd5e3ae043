import { useQueryClient, type UseQueryResult } from "@tanstack/react-query";
import type { ReactNode } from "react";

interface AskedProps<Data> {
  query: Pick<UseQueryResult<Data>, "data" | "error">;
  children: (data: Data) => ReactNode;
}

/** What was asked of the desk: waiting, not answered (said, with a way to ask again), or there. Old data stay in sight. */
export function Asked<Data>({ query, children }: AskedProps<Data>): ReactNode {
  const client = useQueryClient();
  if (query.data !== undefined) return children(query.data);
  if (query.error === null) return <p className="none">Reading…</p>;
  return (
    <div className="none" role="status">
      <span className="unknown">unknown</span>: {query.error.message}{" "}
      <button type="button" className="link" onClick={() => void client.invalidateQueries()}>
        Ask again
      </button>
    </div>
  );
}
