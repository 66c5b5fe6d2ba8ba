// Connections that the lane leaves: a thread passes their bytes on to node:http, which listens on the loopback interface for
// whoever begins with its secret and says from which address the connection came.
import { connect, type Server, type Socket } from 'node:net'
import type { InnerAddress } from './messages.ts'

/** A secret of 43 characters, an address, a line's end. */
const LINE_BYTES_MAX = 128

/** Passes bytes both ways until both sides have ended. What was read and not taken is unshifted into `socket` before. */
export function relay(socket: Socket, { port, secret }: InnerAddress): void {
  const inner = connect({ host: '127.0.0.1', port, noDelay: true, allowHalfOpen: true })
  inner.write(`${secret} ${socket.remoteAddress ?? ''}\r\n`)
  socket.pipe(inner)
  inner.pipe(socket)
  for (const [one, other] of [
    [socket, inner],
    [inner, socket],
  ] as const) {
    one.on('error', () => other.destroy())
    one.on('close', () => other.destroySoon())
  }
}

/** Reads the first line of each connection, then gives it to those who listened before. */
export function takeRelayed(server: Server, secret: string): void {
  const accept = server.listeners('connection') as ((socket: Socket) => void)[]
  server.removeAllListeners('connection').on('connection', (socket: Socket) => {
    let read = Buffer.alloc(0)
    const onError = (): void => void socket.destroy()
    const onData = (chunk: Buffer): void => {
      read = Buffer.concat([read, chunk])
      const end = read.indexOf('\r\n')
      if (end < 0 && read.length <= LINE_BYTES_MAX) return
      const [given, address = ''] = read.toString('latin1', 0, Math.max(0, end)).split(' ')
      if (given !== secret) {
        socket.destroy()
        return
      }
      socket.off('data', onData)
      socket.off('error', onError)
      socket.setTimeout(0)
      socket.pause()
      Object.defineProperty(socket, 'remoteAddress', { value: address === '' ? undefined : address })
      if (end + 2 < read.length) socket.unshift(read.subarray(end + 2))
      for (const listener of accept) listener.call(server, socket)
      socket.resume()
    }
    socket.setTimeout(5_000, onError)
    socket.on('data', onData).on('error', onError)
  })
}
