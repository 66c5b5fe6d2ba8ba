// Calls into the engine that are under way. One that reads rows of this thread waits for it, and the process would wait for the
// call when it ends otherwise than by its own will, by an error or a second Ctrl+C: for ever. So it is ended then.
let calls = 0

process.on('exit', () => {
  if (calls > 0) process.kill(process.pid, 'SIGKILL')
})

export async function underWay<T>(call: () => Promise<T>): Promise<T> {
  calls++
  try {
    return await call()
  } finally {
    calls--
  }
}
