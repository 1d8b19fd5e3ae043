import { useEffect, useState } from "react";

/** `performance.now()`, told anew every `everyMs`; only the component that counts is drawn again. */
export function useNow(everyMs: number): number {
  const [now, setNow] = useState(() => performance.now());
  useEffect(() => {
    const timer = setInterval(() => setNow(performance.now()), everyMs);
    return () => clearInterval(timer);
  }, [everyMs]);
  return now;
}
