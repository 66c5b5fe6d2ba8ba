// PyIceberg beside us: the same appends into a table of its own, and plans over our own metadata. Its processor time is not
// counted; it starts once a measurement, and what it imports is not measured.
import { spawnSync } from 'node:child_process'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { installPyIceberg } from '../../scripts/servers/pyiceberg.ts'

const script = join(dirname(fileURLToPath(import.meta.url)), 'pyiceberg_peer.py')

function ask(args: readonly (string | number)[]): Record<string, number> {
  const installed = installPyIceberg()
  if ('missing' in installed) throw new Error(installed.missing)
  const done = spawnSync(installed.python, [script, ...args.map(String)], { encoding: 'utf8' })
  if (done.status !== 0) throw new Error(`pyiceberg_peer.py failed: ${done.stderr}`)
  return JSON.parse(done.stdout.trim().split('\n').at(-1)!) as Record<string, number>
}

export const pyiceberg = {
  /** Commits a second. */
  commits: (directory: string, seconds: number, rows: number): number =>
    ask(['commits', join(directory, 'pyiceberg'), seconds, rows])['rate']!,
  /** Seconds for the sums over a table, of which PyIceberg makes one Arrow table. */
  scan: (metadataLocation: string): number => ask(['scan', metadataLocation])['scan']!,
  /** Milliseconds for the first plan in the process, and the median of those after it. */
  planning(metadataLocation: string, ids: readonly number[]): { firstMs: number; afterMs: number } {
    const { firstMs, afterMs } = ask(['planning', metadataLocation, ...ids])
    return { firstMs: firstMs!, afterMs: afterMs! }
  },
}
