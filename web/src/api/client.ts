/**
 * The one door to the desk: typed by its OpenAPI document, on this page's own origin, with the session's cookie.
 *
 * Rule 1. Every answer that is not a success becomes an `ApiProblem` with what the desk said; no answer at all becomes a
 *         `NoAnswer`, which says nothing about what was done.
 * Rule 2. `X-Plimsoll` goes with every request: a foreign page cannot send it, so it cannot act in our name.
 */

import createClient from "openapi-fetch";
import type { paths } from "./schema";
import type { Problem, Reason } from "./types";

/** The desk said no, or could not. */
export class ApiProblem extends Error {
  readonly reasons: readonly Reason[];

  constructor(
    readonly status: number,
    readonly code: string,
    readonly title: string,
    detail: string,
    readonly requestId: string,
    reasons: readonly Reason[],
    /** How many seconds to wait before asking again, where the desk says so. */
    readonly retryAfter: number | null,
  ) {
    super(detail);
    this.reasons = reasons;
  }
}

/** The question may or may not have reached the desk. */
export class NoAnswer extends Error {
  constructor(cause: unknown) {
    super("The desk does not answer.", { cause });
  }
}

export const api = createClient<paths>({
  headers: { "X-Plimsoll": "1", Accept: "application/json" },
  fetch: async (request) => {
    try {
      return await fetch(request);
    } catch (failure) {
      if (failure instanceof DOMException && failure.name === "AbortError") throw failure;
      throw new NoAnswer(failure);
    }
  },
});

interface Answer<Data> {
  data?: Data;
  error?: unknown;
  response: Response;
}

/** Take the data of an answer. Raises: ApiProblem, NoAnswer */
export async function data<Data>(asked: Promise<Answer<Data>>): Promise<Data> {
  const answer = await asked;
  if (!answer.response.ok) throw problemOf(answer.response, answer.error);
  return answer.data as Data;
}

function problemOf(response: Response, body: unknown): ApiProblem {
  const told = isProblem(body) ? body : null;
  const wait = /^\d+$/.exec(response.headers.get("Retry-After") ?? "");
  return new ApiProblem(
    response.status,
    told?.code ?? "no_problem_details",
    told?.title ?? `The desk answered ${response.status}`,
    told?.detail ?? "It gave no reason. A proxy in between may have answered instead.",
    told?.request_id ?? "",
    told?.reasons ?? [],
    wait === null ? null : parseInt(wait[0], 10),
  );
}

function isProblem(body: unknown): body is Problem {
  return typeof body === "object" && body !== null && "code" in body && "detail" in body;
}

/** Say whether a command may have been carried out although nobody told us so. */
export function isUnclear(failure: unknown): boolean {
  return !(failure instanceof ApiProblem) || failure.status >= 500;
}

export function isSignedOut(failure: unknown): boolean {
  return failure instanceof ApiProblem && failure.status === 401;
}
