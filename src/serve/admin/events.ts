// `GET /admin/events`: server-sent events that say which kinds of answers changed, at most once a second. They carry no
// data: the console asks again, under the caller's policy.
import type { FastifyReply } from 'fastify'
import type { Caller } from '../answer.ts'
import type { AdminParts } from './parts.ts'

const GATHER_MS = 1_000
const KEEP_OPEN_MS = 15_000

/** Names of relations that the caller may not see are left out: only that something of the kind changed is said. */
export function streamEvents(parts: AdminParts, caller: Caller, reply: FastifyReply): void {
  const { raw } = reply
  reply.hijack()
  raw.writeHead(200, { 'content-type': 'text/event-stream', 'cache-control': 'no-store', 'x-accel-buffering': 'no' })
  const send = (event: string, data: object): void => {
    raw.write(`event: ${event}\ndata: ${JSON.stringify({ event, nowMs: parts.clock.nowMs(), ...data })}\n\n`)
  }
  send('hello', {})
  const pending = new Map<string, readonly [string, string?]>()
  let cancelSend: (() => void) | null = null
  let cancelKeep = (): void => {}
  const keepOpen = (): void => {
    cancelKeep = parts.clock.after(KEEP_OPEN_MS, () => {
      raw.write(': still here\n\n')
      keepOpen()
    })
  }
  keepOpen()
  const stop = parts.onChange((change) => {
    if (pending.has(change.join(':'))) return
    const key = shownTo(parts, caller, change)
    if (!key) return
    pending.set(key.join(':'), key)
    cancelSend ??= parts.clock.after(GATHER_MS, () => {
      cancelSend = null
      send('changed', { keys: [...pending.values()] })
      pending.clear()
    })
  })
  raw.on('close', () => {
    stop()
    cancelSend?.()
    cancelKeep()
  })
}

function shownTo(parts: AdminParts, caller: Caller, [kind, name]: readonly [string, string?]): readonly [string, string?] | null {
  if (kind !== 'relation' && kind !== 'stream') return [kind]
  return name !== undefined && parts.answerer.access(caller, name).readable ? [kind, name] : null
}
