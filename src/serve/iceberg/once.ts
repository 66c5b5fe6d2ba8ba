// Requests that come with an Idempotency-Key (Iceberg REST): carried out once, answered as often as they come. What a request
// changed and that it was carried out are one transaction (`Finished`), so a lost answer or a crash between the two cannot be.
// Refusals that would be the same again are kept too; 5xx and refusals of identity are not.
import { createHash } from 'node:crypto'
import { asMillraceError, MillraceError } from '../../core/errors.ts'
import type { Finished } from '../../store/catalog.ts'
import type { Caller } from '../answer.ts'
import type { Call, IcebergParts, Replay, Reply } from './call.ts'
import { icebergError } from './error.ts'

const KEY = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i

/** Statuses of refusals that are kept. */
const KEPT = [400, 404, 409, 422]

export interface Request {
  readonly caller: Caller
  readonly key: string | undefined
  /** Method, address and body: a key belongs to one request. */
  readonly what: readonly string[]
}

export type Once = (
  request: Request,
  run: (finish: Call['finish']) => Promise<Reply>,
  again: (replay: Replay) => Promise<Reply>,
) => Promise<Reply>

/** Requests of one key that come at once share one run, in this process. */
export function makeOnce({ clock, lake }: Pick<IcebergParts, 'clock' | 'lake'>): Once {
  const running = new Map<string, Promise<Reply>>()
  return async ({ caller, key, what }, run, again) => {
    if (key === undefined) return run(() => undefined)
    if (!KEY.test(key)) throw new MillraceError('MR_USAGE', 'Idempotency-Key is not a UUID', { fix: 'send a UUID of version 7' })
    const scoped = `${caller.tokenId} ${key.toLowerCase()}`
    const request = createHash('sha256').update(JSON.stringify(what)).digest('hex')
    const before = await lake.catalog.finished(scoped, clock.nowMs())
    if (before) return replay(before, request, again)
    const id = `${scoped} ${request}`
    const known = running.get(id)
    if (known) return known
    const finish = (answer: Replay): Finished => ({ key: scoped, request, answer: JSON.stringify(answer) })
    const result = run(finish)
      .catch(async (cause) => {
        const error = asMillraceError(cause)
        const reply = { status: error.status, text: JSON.stringify(icebergError(error)) }
        // Not when the same request was carried out elsewhere meanwhile.
        if (KEPT.includes(error.status)) await lake.catalog.finish(finish(reply), clock.nowMs()).catch(() => {})
        throw cause
      })
      .finally(() => running.delete(id))
    running.set(id, result)
    return result
  }
}

function replay(before: Finished, request: string, again: (replay: Replay) => Promise<Reply>): Promise<Reply> {
  if (before.request !== request)
    throw new MillraceError('MR_LAKE_IDEMPOTENCY', 'this Idempotency-Key was used for another request', { fix: 'make a new key' })
  return again(JSON.parse(before.answer) as Replay)
}
