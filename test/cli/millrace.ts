// A command of the program as a user calls it, from its arguments to what it printed: for tests that are black-box.
import { execFile } from 'node:child_process'
import { join } from 'node:path'
import { root } from '../server/server.ts'

export interface Printed {
  /** The exit status; null when a signal ended it. */
  readonly status: number | null
  readonly out: string
  readonly errors: string
}

/** Runs `millrace <args>` to its end, without colours, with `env` over the environment of the test. */
export const runMillrace = (args: readonly string[], env: Readonly<Record<string, string>> = {}): Promise<Printed> =>
  new Promise((resolve) => {
    const all = [join(root, 'bin', 'millrace.mjs'), ...args]
    const child = execFile(process.execPath, all, { env: { ...process.env, NO_COLOR: '1', ...env } }, (_, out, errors) =>
      resolve({ status: child.exitCode, out, errors }),
    )
  })
