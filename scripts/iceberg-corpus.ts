// Makes test/corpora/iceberg anew: small tables that Spark wrote, with deletes of every kind, by which `npm test` covers the
// reading of others' tables without Java. Their paths are relative, so that they can be read wherever the repository lies.
// `node scripts/iceberg-corpus.ts`; the rows are the same each time, ids and file names are not.
import { spawnSync } from 'node:child_process'
import { mkdirSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { installSpark } from './servers/spark.ts'

const TABLES = ['positions_by_partition', 'vectors', 'dense_vector', 'upgraded', 'equality', 'equality_partitioned', 'nested', 'clocks']

const root = dirname(dirname(fileURLToPath(import.meta.url)))
const corpora = join(root, 'test', 'corpora')
const spark = installSpark()
if ('missing' in spark) throw new Error(spark.missing)

rmSync(join(corpora, 'iceberg'), { recursive: true, force: true })
mkdirSync(join(corpora, 'iceberg'))
const script = join(root, 'test', 'interop', 'spark_tables.py')
const done = spawnSync(spark.python, [script, spark.jar, 'iceberg', ...TABLES], { cwd: corpora, stdio: 'inherit' })
if (done.status !== 0) throw new Error(`spark_tables.py ended with ${done.status}`)

// What a reader of the newest metadata never opens: checksums of Hadoop, earlier metadata.
const expected = JSON.parse(readFileSync(join(corpora, 'iceberg', 'expected.json'), 'utf8')) as Record<string, { metadata: string }>
const needed = new Set(Object.values(expected).map(({ metadata }) => join(corpora, metadata)))
for (const name of readdirSync(join(corpora, 'iceberg'), { recursive: true, encoding: 'utf8' })) {
  const path = join(corpora, 'iceberg', name)
  if (name.endsWith('.crc') || name.endsWith('version-hint.text') || (name.endsWith('.metadata.json') && !needed.has(path))) rmSync(path)
}
