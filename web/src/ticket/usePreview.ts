import { useDebouncedValue } from "@mantine/hooks";
import { useQuery } from "@tanstack/react-query";
import { api, data } from "../api/client";
import type { OrderWish, Preview } from "../api/types";
import type { Wish } from "./draft";

const DEBOUNCE_MS = 250;
/** Prices move while somebody reads: a preview in sight is asked for again. */
const AGAIN_EVERY_MS = 5_000;

export interface LivePreview {
  /** Of the draft as it is now; undefined while it is being asked for. */
  preview: Preview | undefined;
  failure: Error | null;
}

/** Ask the gate about the draft while it is typed. An answer about a former draft is never given for the present one. */
export function usePreview(wish: Wish): LivePreview {
  const text = wish.complete ? JSON.stringify(wish.order) : "";
  const [settled] = useDebouncedValue(text, DEBOUNCE_MS);
  const query = useQuery({
    queryKey: ["preview", settled],
    queryFn: ({ signal }) => data(api.POST("/api/v1/orders/preview", { body: JSON.parse(settled) as OrderWish, signal })),
    enabled: settled !== "",
    refetchInterval: AGAIN_EVERY_MS,
    gcTime: 10_000,
  });
  if (text === "" || settled !== text) return { preview: undefined, failure: null };
  return { preview: query.data, failure: query.error };
}
