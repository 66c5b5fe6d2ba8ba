// Stands between a catalog's client and its server and breaks requests as networks do: before the server has them, after it has
// carried them out, or so that it carries them out later. It can also hide that the server has transactions over tables.
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'

export type Fault = 'none' | 'request lost' | 'answer lost' | 'answer garbled' | 'late'

export interface FaultyProxy {
  readonly url: string
  /** How often each fault was made. */
  readonly made: Map<Fault, number>
  stop(): Promise<void>
}

export interface FaultyOptions {
  /** Of the server, with the path under which the catalog lies. */
  readonly target: string
  readonly hasTransactions: boolean
  readonly faultOf: (method: string, path: string) => Fault
  /** Called when the server has carried out a request, before the client hears of it. */
  readonly onDone?: (method: string, path: string) => Promise<void>
}

export async function startFaultyProxy({ target, hasTransactions, faultOf, onDone }: FaultyOptions): Promise<FaultyProxy> {
  const made = new Map<Fault, number>()
  /** Requests that the server gets later. */
  let late: (() => Promise<unknown>)[] = []
  const server = createServer(async (request, response) => {
    const body = Buffer.concat(await Array.fromAsync(request as AsyncIterable<Buffer>))
    const { method = 'GET', url = '/', headers } = request
    const forward = async () => {
      const kept = Object.entries(headers).filter(([name]) => ['authorization', 'content-type', 'accept'].includes(name))
      const answer = await fetch(`${target}${url}`, {
        method,
        headers: Object.fromEntries(kept) as Record<string, string>,
        ...(body.length > 0 ? { body } : {}),
      })
      return { status: answer.status, text: await answer.text() }
    }
    const fail = (status: number): void => void response.writeHead(status, { 'content-type': 'application/json' }).end('{}')
    const fault = faultOf(method, url)
    made.set(fault, (made.get(fault) ?? 0) + 1)
    if (fault === 'request lost') return fail(503)
    if (fault === 'late') {
      late.push(forward)
      return fail(504)
    }
    const { status, text } = await forward()
    await onDone?.(method, url)
    if (fault === 'answer lost') return void request.socket.destroy()
    if (fault === 'answer garbled') return void response.writeHead(status, { 'content-type': 'text/html' }).end('<html></html>')
    const isConfig = url.startsWith('/v1/config')
    const shown = isConfig && !hasTransactions ? text.replace('"POST /v1/{prefix}/transactions/commit",', '') : text
    response.writeHead(status, { 'content-type': 'application/json' }).end(status === 204 ? undefined : shown)
    if (late.length > 0 && method === 'GET') {
      const due = late
      late = []
      for (const send of due) await send().catch(() => {})
    }
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    made,
    stop: () =>
      new Promise((resolve) => {
        server.closeAllConnections()
        server.close(() => resolve())
      }),
  }
}
