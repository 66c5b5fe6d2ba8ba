// Calls into the engine that are under way. One that reads rows of this thread waits for it, and a process that ends otherwise than by
// its own will, by an error or a second Ctrl+C, would wait for the call: for ever. So it is ended then, as it would be by itself.
import { inspect } from 'node:util'

let calls = 0
/** What nobody has caught: it would be said after the process has ended. */
let uncaught: unknown

process.on('uncaughtExceptionMonitor', (error) => {
  uncaught = error
})
process.on('exit', () => {
  if (calls === 0) return
  if (uncaught !== undefined) process.stderr.write(`${inspect(uncaught)}\n`)
  process.kill(process.pid, 'SIGKILL')
})

export async function underWay<T>(call: () => Promise<T>): Promise<T> {
  calls++
  try {
    return await call()
  } finally {
    calls--
  }
}
