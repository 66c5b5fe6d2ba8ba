// Pages of lists (Iceberg REST, "pageToken"): everything at once for clients that do not ask for pages; otherwise a page and
// the token of the next one, which is the last name of this, so that what comes or goes meanwhile shifts nothing.
import { badRequest } from './call.ts'

const SIZE = 100
const SIZE_MAX = 1_000

/** `all` is sorted by `keyOf`. @throws MR_USAGE for a page size that is none. */
export function pageOf<T>(
  all: readonly T[],
  keyOf: (one: T) => string,
  query: Readonly<Record<string, string>>,
): { readonly page: readonly T[]; readonly next: string | null } {
  const { pageToken, pageSize } = query
  if (pageToken === undefined) return { page: all, next: null }
  const size = pageSize === undefined ? SIZE : Number(pageSize)
  if (!Number.isSafeInteger(size) || size < 1) throw badRequest(`pageSize is ${pageSize}`)
  const after = Buffer.from(pageToken, 'base64url').toString()
  const rest = pageToken === '' ? all : all.filter((one) => keyOf(one) > after)
  const page = rest.slice(0, Math.min(size, SIZE_MAX))
  const hasMore = page.length < rest.length
  return { page, next: hasMore ? Buffer.from(keyOf(page.at(-1)!)).toString('base64url') : null }
}
