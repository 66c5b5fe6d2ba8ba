// Free loopback ports, and waiting until a server that was started answers on one.
import type { ChildProcess } from 'node:child_process'
import { createServer } from 'node:net'

export function freePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const server = createServer()
    server.once('error', reject)
    server.listen(0, '127.0.0.1', () => {
      const { port } = server.address() as { port: number }
      server.close(() => resolve(port))
    })
  })
}

/** Undefined once the address answers HTTP at all; why not when the process ends or the time is up. */
export async function untilAnswers(url: string, server: ChildProcess, seconds = 60): Promise<string | undefined> {
  let errors = ''
  let ended: string | undefined
  server.stderr?.on('data', (chunk: Buffer) => {
    errors = `${errors}${chunk}`.slice(-2_000)
  })
  server.once('error', (error) => {
    ended = error.message
  })
  server.once('exit', (code) => {
    ended = `ended with ${code}: ${errors.trim()}`
  })
  for (let waited = 0; waited < seconds * 10; waited++) {
    if (ended !== undefined) return ended
    try {
      await fetch(url, { signal: AbortSignal.timeout(5_000) })
      return undefined
    } catch {
      await new Promise((resolve) => setTimeout(resolve, 100))
    }
  }
  return `no answer within ${seconds} s: ${errors.trim()}`
}
