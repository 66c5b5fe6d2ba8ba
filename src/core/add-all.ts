// Not push(...items): a call takes only so many arguments, about 120,000.

/** Adds the items to the end of the list. */
export function addAll<T>(to: T[], items: Iterable<T>): void {
  for (const item of items) to.push(item)
}
