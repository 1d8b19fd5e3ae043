import { useMutation, useQueryClient } from "@tanstack/react-query";
import { useRef, useState } from "react";
import { SETTLED, afterAnswer, attemptOf, repeatAfter, type Attempt, type Former } from "../api/attempt";
import { api, data, isUnclear } from "../api/client";
import type { OrderWish, PlacedOrder } from "../api/types";

interface Placing {
  place: (wish: OrderWish, whenPlaced: () => void) => void;
  isPending: boolean;
  /** The order whose answer never came; the next click asks again about it, and about nothing else. */
  open: Attempt | null;
  placed: PlacedOrder | undefined;
  failure: Error | null;
}

/** Place orders, one key per click (see `api/attempt.ts`). */
export function usePlace(): Placing {
  const client = useQueryClient();
  const [open, setOpen] = useState<Attempt | null>(null);
  // Read by the next click, which may come before React has drawn the state.
  const former = useRef<Former>(SETTLED);
  const command = useMutation({
    mutationFn: (attempt: Attempt) => send(attempt),
    onSettled: (_answer, failure, attempt) => {
      former.current = afterAnswer(attempt, failure);
      setOpen(former.current.open ? former.current.attempt : null);
      void client.invalidateQueries({ queryKey: ["orders"] });
    },
  });
  return {
    place: (wish, whenPlaced) => {
      if (command.isPending) return;
      command.mutate(attemptOf(former.current, wish, () => crypto.randomUUID()), { onSuccess: whenPlaced });
    },
    isPending: command.isPending,
    open,
    placed: command.data,
    failure: command.error,
  };
}

/** Send an attempt, and the very same again while its answer is lost. */
async function send(attempt: Attempt): Promise<PlacedOrder> {
  for (let failures = 1; ; failures += 1) {
    try {
      return await data(
        api.POST("/api/v1/orders", { body: attempt.wish, params: { header: { "Idempotency-Key": attempt.key } } }),
      );
    } catch (failure) {
      const wait = isUnclear(failure) ? repeatAfter(failures) : null;
      if (wait === null) throw failure;
      await new Promise((resume) => setTimeout(resume, wait));
    }
  }
}
