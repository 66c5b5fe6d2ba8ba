// Sends batches of lines to `POST /streams/{name}`. A batch keeps its Idempotency-Key while it is tried again, so a lost
// answer never makes a second copy. Waits when the server says that it is busy; gives up on an answer that cannot change.
import type { StreamName } from './event.ts'

/** Time for the replay; the tests give it a virtual one. */
export interface TrafficClock {
  nowMs(): number
  sleep(ms: number, signal?: AbortSignal): Promise<void>
}

export interface Target {
  /** Of the server, such as `http://127.0.0.1:4100`. */
  readonly url: string
  readonly token: string | undefined
  readonly clock: TrafficClock
  readonly fetch: typeof fetch
}

export interface Answer {
  readonly accepted: number
  readonly rejected: number
  readonly tries: number
}

const TRIES = 10
const BUSY = new Set([408, 425, 429, 500, 502, 503, 504, 507])

/** Sends one batch. @throws Error with the server's words when it refuses for good or stays away for ten tries. */
export async function send(target: Target, stream: StreamName, key: string, lines: readonly string[]): Promise<Answer> {
  for (let tries = 1; ; tries++) {
    const response = await post(target, stream, key, lines)
    if (!(response instanceof Error)) {
      const body = (await response.json().catch(() => ({}))) as { accepted?: number; rejected?: number; code?: string; detail?: string }
      if (response.ok) return { accepted: body.accepted ?? 0, rejected: body.rejected ?? 0, tries }
      // Every row was faulty: they are kept as rejected, which is what they were sent for.
      if (response.status === 422 && body.code === 'MR_INGEST_REJECTED') return { accepted: 0, rejected: lines.length, tries }
      if (!BUSY.has(response.status) || tries === TRIES)
        throw new Error(`POST /streams/${stream}: ${response.status} ${body.code ?? ''} ${body.detail ?? ''}`)
    } else if (tries === TRIES) throw new Error(`POST /streams/${stream}: ${target.url} does not answer`, { cause: response })
    await target.clock.sleep(waitMs(response, tries))
  }
}

async function post(target: Target, stream: StreamName, key: string, lines: readonly string[]): Promise<Response | Error> {
  const headers: Record<string, string> = { 'content-type': 'application/x-ndjson', 'idempotency-key': key }
  if (target.token) headers['authorization'] = `Bearer ${target.token}`
  try {
    return await target.fetch(`${target.url}/streams/${stream}`, { method: 'POST', headers, body: `${lines.join('\n')}\n` })
  } catch (cause) {
    return cause instanceof Error ? cause : new Error(String(cause))
  }
}

function waitMs(response: Response | Error, tries: number): number {
  const asked = response instanceof Error ? undefined : response.headers.get('retry-after')
  return asked ? Number(asked) * 1000 : Math.min(5000, 50 * 2 ** tries)
}
