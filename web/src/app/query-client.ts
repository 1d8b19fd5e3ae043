/** How questions to the desk behave: when they are repeated, and what a 401 means wherever it comes from. */

import { MutationCache, QueryCache, QueryClient } from "@tanstack/react-query";
import { ApiProblem, isSignedOut } from "../api/client";
import { ME } from "../api/queries";

const REPEATS = 2;

function isWorthRepeating(failure: Error): boolean {
  return !(failure instanceof ApiProblem) || failure.status >= 500 || failure.status === 429;
}

/** Longer where the desk says how long. */
function waitMs(attempt: number, failure: Error): number {
  const told = failure instanceof ApiProblem ? failure.retryAfter : null;
  return told === null ? 400 * 2 ** attempt : told * 1_000;
}

export function makeQueryClient(): QueryClient {
  const onError = (failure: Error): void => {
    if (isSignedOut(failure)) client.setQueryData(ME, null);
  };
  const client = new QueryClient({
    queryCache: new QueryCache({ onError }),
    mutationCache: new MutationCache({ onError }),
    defaultOptions: {
      queries: {
        // The desk is usually on this very machine: whether there is an internet says nothing about it.
        networkMode: "always",
        refetchOnReconnect: false,
        refetchOnWindowFocus: "always",
        staleTime: 5_000,
        retry: (failures, failure) => failures < REPEATS && isWorthRepeating(failure),
        retryDelay: waitMs,
      },
      // A command is repeated only where its key makes that harmless, by the one who holds the key.
      mutations: { networkMode: "always", retry: false },
    },
  });
  return client;
}
