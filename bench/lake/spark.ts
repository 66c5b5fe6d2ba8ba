// Spark with Iceberg's own library beside us: one session, `local[2]`, Hadoop's catalog on the same disk, its start not measured.
// It writes tables of its own, and scans ours, which Hadoop's catalog finds by the name of a metadata file.
import { spawnSync } from 'node:child_process'
import { copyFileSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { installSpark } from '../../scripts/servers/spark.ts'
import { toPath } from '../../src/lake/location.ts'
import type { LakeTable } from '../../src/lake/types.ts'

const script = join(dirname(fileURLToPath(import.meta.url)), 'spark_peer.py')

function ask(warehouse: string, args: readonly (string | number)[]): Record<string, number> {
  const installed = installSpark()
  if ('missing' in installed) throw new Error(installed.missing)
  const done = spawnSync(installed.python, [script, installed.jar, warehouse, ...args.map(String)], { encoding: 'utf8' })
  if (done.status !== 0) throw new Error(`spark_peer.py failed: ${done.stderr}`)
  return JSON.parse(done.stdout.trim().split('\n').at(-1)!) as Record<string, number>
}

export const spark = {
  /** Commits a second. */
  commits: (directory: string, seconds: number, rows: number): number => ask(join(directory, 'spark'), ['commits', seconds, rows])['rate']!,
  /** Seconds for a merge of `keys` rows, copy-on-write. */
  upserts(directory: string, rows: number, keys: number, rounds: number): { recent: number; anywhere: number } {
    const { recent, anywhere } = ask(join(directory, `spark_${rows}`), ['upserts', rows, keys, rounds])
    return { recent: recent!, anywhere: anywhere! }
  },
  /** Seconds for the sums over one of our tables as it is. */
  scan({ name, location, metadataLocation }: LakeTable, rounds: number): number {
    const place = toPath(location)
    copyFileSync(toPath(metadataLocation), `${place}/metadata/v1.metadata.json`)
    writeFileSync(`${place}/metadata/version-hint.text`, '1')
    return ask(dirname(place), ['scan', name, rounds])['scan']!
  },
}
