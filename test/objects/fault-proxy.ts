// A proxy between a store's client and its real server that breaks chosen requests: answers for the server, or loses what the
// server answered.
import { createServer, request as forward, type IncomingHttpHeaders, type IncomingMessage, type ServerResponse } from 'node:http'

/** `busy`, `denied`: 503, 403 without asking. `lost`: the server does it, its answer is lost. `unsent`: lost before the server. `cut`: half of the answer. */
export type Fault = 'busy' | 'denied' | 'lost' | 'unsent' | 'cut' | null

export interface FaultProxy {
  readonly endpoint: string
  /** Asked of every request: `PUT /bucket/key?query`. */
  fault: (request: string, headers: IncomingHttpHeaders) => Fault
  readonly seen: string[]
  close(): void
}

export async function openFaultProxy(target: string): Promise<FaultProxy> {
  const { hostname, port } = new URL(target)
  const proxy = { endpoint: '', fault: (): Fault => null, seen: [] as string[], close: (): void => {} } as {
    -readonly [K in keyof FaultProxy]: FaultProxy[K]
  }
  const answer = async (request: IncomingMessage, response: ServerResponse): Promise<void> => {
    const name = `${request.method} ${request.url}`
    proxy.seen.push(name)
    const fault = proxy.fault(name, request.headers)
    const body = Buffer.concat(await Array.fromAsync(request))
    if (fault === 'unsent') return void request.socket.destroy()
    if (fault === 'busy')
      return void response.writeHead(503).end('<Error><Code>SlowDown</Code><Message>Reduce your request rate.</Message></Error>')
    if (fault === 'denied')
      return void response.writeHead(403).end('<Error><Code>AccessDenied</Code><Message>Access Denied</Message></Error>')
    const inner = forward({ hostname, port, method: request.method, path: request.url, headers: request.headers }, async (reply) => {
      const content = Buffer.concat(await Array.fromAsync(reply))
      if (fault === 'lost') return void request.socket.destroy()
      response.writeHead(reply.statusCode!, reply.headers)
      if (fault !== 'cut') return void response.end(content)
      response.write(content.subarray(0, content.length >> 1), () => request.socket.destroy())
    })
    inner.on('error', () => request.socket.destroy())
    inner.end(body)
  }
  const server = createServer((request, response) => void answer(request, response))
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  proxy.endpoint = `http://127.0.0.1:${(server.address() as { port: number }).port}`
  proxy.close = () => {
    server.closeAllConnections()
    server.close()
  }
  return proxy
}
