// Pages of lists (Iceberg REST, "pageToken"): everything at once for clients that do not ask for pages; otherwise a page and
// the token of the next one, which is the last name of this, so that what comes or goes meanwhile shifts nothing. A token says
// all there is to know: it is good in another process.
import { badRequest } from './call.ts'

const SIZE = 100
const SIZE_MAX = 1_000

/** `all` is sorted by `keyOf`. @throws MR_USAGE for a page size that is none and a token that is not ours. */
export function pageOf<T>(
  all: readonly T[],
  keyOf: (one: T) => string,
  query: Readonly<Record<string, string>>,
): { readonly page: readonly T[]; readonly next: string | null } {
  const { pageToken, pageSize } = query
  if (pageToken === undefined) return { page: all, next: null }
  const size = pageSize === undefined ? SIZE : Number(pageSize)
  if (!Number.isSafeInteger(size) || size < 1) throw badRequest(`pageSize is ${pageSize}`)
  const after = pageToken === '' ? null : lastOf(pageToken)
  const rest = after === null ? all : all.filter((one) => keyOf(one) > after)
  const page = rest.slice(0, Math.min(size, SIZE_MAX))
  const hasMore = page.length < rest.length
  return { page, next: hasMore ? tokenOf(keyOf(page.at(-1)!)) : null }
}

const MARK = 'after:'
const tokenOf = (last: string): string => Buffer.from(MARK + last).toString('base64url')

function lastOf(token: string): string {
  const text = Buffer.from(token, 'base64url').toString()
  const last = text.slice(MARK.length)
  // Decoding forgives: what is ours comes out again as it went in.
  if (!text.startsWith(MARK) || tokenOf(last) !== token)
    throw badRequest(`the pageToken ${JSON.stringify(token)} is none that a page of this list had as its next-page-token`)
  return last
}
