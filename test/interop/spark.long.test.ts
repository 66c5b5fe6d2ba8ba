// The tables of `spark_tables.py`, written anew by Spark with absolute paths, read row for row as Spark reads them.
import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { installSpark } from '../../scripts/servers/spark.ts'
import { compareTables, readExpected } from './foreign-tables.ts'

const spark = installSpark()
const isRequired = process.env['CI'] === 'true' && process.env['MILLRACE_TEST_ALL'] === '1'
const skip = 'missing' in spark && !isRequired ? `Spark is not available: ${spark.missing}` : false

test('what Spark deletes is gone for Millrace too, in every snapshot', { skip }, async () => {
  assert.ok('python' in spark, 'missing' in spark ? spark.missing : '')
  const directory = mkdtempSync(join(tmpdir(), 'millrace-spark-'))
  try {
    const script = join(dirname(fileURLToPath(import.meta.url)), 'spark_tables.py')
    const done = spawnSync(spark.python, [script, spark.jar, directory], { encoding: 'utf8', maxBuffer: 64 * 1024 * 1024 })
    assert.equal(done.status, 0, done.stderr)
    assert.equal(Object.keys(readExpected(directory)).length, 7)
    assert.ok((await compareTables(directory)) >= 37)
  } finally {
    rmSync(directory, { recursive: true, force: true })
  }
})
