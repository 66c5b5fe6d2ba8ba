// Spark with Iceberg's own library beside us, for small commits: one session, `local[2]`, Hadoop's catalog on the same disk.
// Its start is not measured.
import { spawnSync } from 'node:child_process'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { installSpark } from '../../scripts/servers/spark.ts'

const script = join(dirname(fileURLToPath(import.meta.url)), 'spark_peer.py')

/** Commits a second. */
export function sparkCommits(directory: string, seconds: number, rows: number): number {
  const installed = installSpark()
  if ('missing' in installed) throw new Error(installed.missing)
  const args = [script, installed.jar, join(directory, 'spark'), String(seconds), String(rows)]
  const done = spawnSync(installed.python, args, { encoding: 'utf8' })
  if (done.status !== 0) throw new Error(`spark_peer.py failed: ${done.stderr}`)
  return (JSON.parse(done.stdout.trim().split('\n').at(-1)!) as { rate: number }).rate
}
