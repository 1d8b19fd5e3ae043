/** What a new password has to be; the desk decides, this only says it sooner. */

export const LEAST_PASSWORD = 12;

/** What is wrong with a new password typed twice; null when nothing is. */
export function passwordProblem(password: string, again: string): string | null {
  // Counted as the desk counts: by code points, so that a character outside the basic plane is one.
  const length = Array.from(password).length;
  if (length < LEAST_PASSWORD) return `${LEAST_PASSWORD - length} more ${LEAST_PASSWORD - length === 1 ? "character" : "characters"}.`;
  return password === again ? null : "The two are not the same yet.";
}
