/** What the page reads, a hook per noun. The first part of a key is the noun that the stream's events refer to. */

import { useInfiniteQuery, useQuery, type UseQueryResult } from "@tanstack/react-query";
import { api, data, isSignedOut } from "./client";
import type * as t from "./types";

/** Values of open positions move with the prices; the desk computes them, the page does not. */
const VALUES_EVERY_MS = 2_000;
const SELDOM_MS = 60_000;

export const ME = ["me"] as const;

/** Who is signed in; null when nobody is. */
export function useMe(): UseQueryResult<t.Me | null> {
  return useQuery({
    queryKey: ME,
    queryFn: async () => {
      try {
        return await data(api.GET("/api/v1/auth/me"));
      } catch (failure) {
        if (isSignedOut(failure)) return null;
        throw failure;
      }
    },
    staleTime: Infinity,
  });
}

export const useHealth = () =>
  useQuery({ queryKey: ["health"], queryFn: () => data(api.GET("/api/v1/system/health")), refetchInterval: 10_000 });

/** Asked again now and then: an imported portfolio comes without a word on the stream. */
export const usePortfolios = () =>
  useQuery({
    queryKey: ["portfolios"],
    queryFn: () => data(api.GET("/api/v1/portfolios")),
    staleTime: SELDOM_MS,
    refetchInterval: SELDOM_MS,
  });

export const useInstruments = (portfolio: string | undefined) =>
  useQuery({
    queryKey: ["instruments", portfolio],
    queryFn: () => data(api.GET("/api/v1/instruments", { params: { query: { portfolio: portfolio ?? null } } })),
    enabled: portfolio !== undefined,
    staleTime: SELDOM_MS,
  });

export const useSummary = (portfolio: string) =>
  useQuery({
    queryKey: ["portfolio", portfolio],
    queryFn: () => data(api.GET("/api/v1/portfolio", { params: { query: { portfolio } } })),
    refetchInterval: VALUES_EVERY_MS,
  });

export const usePositions = (portfolio: string) =>
  useQuery({
    queryKey: ["positions", portfolio],
    queryFn: () => data(api.GET("/api/v1/positions", { params: { query: { portfolio } } })),
    refetchInterval: VALUES_EVERY_MS,
  });

export type OrderFilter = "open" | "all";

export const useOrders = (portfolio: string, status: OrderFilter) =>
  useInfiniteQuery({
    queryKey: ["orders", portfolio, status],
    queryFn: ({ pageParam }) =>
      data(
        api.GET("/api/v1/orders", {
          params: { query: { portfolio, status, limit: 50, ...(pageParam === null ? {} : { cursor: pageParam }) } },
        }),
      ),
    initialPageParam: null as string | null,
    getNextPageParam: (page) => page.next,
    select: (pages) => pages.pages.flatMap((page) => page.items),
  });

export const useOrder = (id: string) =>
  useQuery({
    queryKey: ["orders", "one", id],
    queryFn: () => data(api.GET("/api/v1/orders/{order_id}", { params: { path: { order_id: id } } })),
  });

export const useTrades = (portfolio: string) =>
  useInfiniteQuery({
    queryKey: ["trades", portfolio],
    queryFn: ({ pageParam }) =>
      data(
        api.GET("/api/v1/trades", {
          params: { query: { portfolio, limit: 50, ...(pageParam === null ? {} : { cursor: pageParam }) } },
        }),
      ),
    initialPageParam: null as string | null,
    getNextPageParam: (page) => page.next,
    select: (pages) => pages.pages.flatMap((page) => page.items),
  });

export const useEquity = (account: string) =>
  useQuery({
    queryKey: ["equity", account],
    queryFn: () => data(api.GET("/api/v1/equity", { params: { query: { points: 600, account } } })),
    refetchInterval: SELDOM_MS,
  });

/** What a portfolio ever made, month by month. */
export const useEarnings = (portfolio: string) =>
  useQuery({
    queryKey: ["earnings", portfolio],
    queryFn: async () => {
      const told = await data(api.GET("/api/v1/reports/pnl", { params: { query: { portfolio, by: "month", from: "1970-01-01" } } }));
      if (typeof told === "string") throw new Error("Invariant: a report that is not asked as CSV or HTML is JSON");
      return told;
    },
    staleTime: SELDOM_MS,
    refetchInterval: SELDOM_MS,
  });

export type Interval = "1m" | "5m" | "15m" | "1h";

export const useCandles = (portfolio: string, symbol: string, interval: Interval) =>
  useQuery({
    queryKey: ["candles", portfolio, symbol, interval],
    queryFn: () => data(api.GET("/api/v1/candles", { params: { query: { portfolio, symbol, interval, limit: 500 } } })),
    enabled: symbol !== "",
  });

/** With the moment of its answer by `performance.now()`, to tell which of it and the last pulse is the newer word. */
async function received<Data>(asked: Promise<Data>): Promise<Data & { receivedAt: number }> {
  return { ...(await asked), receivedAt: performance.now() };
}

export const useHalts = () => useQuery({ queryKey: ["halts"], queryFn: () => received(data(api.GET("/api/v1/halts"))) });

export const useGuards = () => useQuery({ queryKey: ["guards"], queryFn: () => received(data(api.GET("/api/v1/guards"))) });

export const useBots = () =>
  useQuery({ queryKey: ["bots"], queryFn: () => data(api.GET("/api/v1/bots")), refetchInterval: 10_000 });

export const useStrategies = (asked: boolean) =>
  useQuery({
    queryKey: ["strategies"],
    queryFn: () => data(api.GET("/api/v1/strategies")),
    enabled: asked,
    staleTime: SELDOM_MS,
  });

export const useKeys = () => useQuery({ queryKey: ["keys"], queryFn: () => data(api.GET("/api/v1/keys")) });
