// A Spark that is kept running on a server's catalog, and asked step by step (`spark_rest.py`): a JVM takes ten seconds to start.
import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { dirname, join } from 'node:path'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import type { Spark } from '../../scripts/servers/spark.ts'

export interface SparkSession {
  /** Rows of a statement, every value as text; `set`: settings of the session for it alone. */
  sql(statement: string, set?: Readonly<Record<string, string>>): Promise<(string | null)[][]>
  /** What Spark says of a statement that it cannot carry out. */
  refused(statement: string, set?: Readonly<Record<string, string>>): Promise<string>
  close(): Promise<void>
}

interface Answer {
  readonly rows?: (string | null)[][]
  readonly error?: string
}

export async function openSpark(spark: Spark, address: string, token: string): Promise<SparkSession> {
  const script = join(dirname(fileURLToPath(import.meta.url)), 'spark_rest.py')
  const child = spawn(spark.python, [script, spark.jar, address, token], { stdio: ['pipe', 'pipe', 'pipe'] })
  const ended = new Promise<void>((resolve) => child.on('close', () => resolve()))
  let errors = ''
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    errors = (errors + text).slice(-20_000)
  })
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]()
  const next = async (mark: string): Promise<string> => {
    for (;;) {
      const { value, done } = await lines.next()
      assert.ok(!done, `Spark ended:\n${errors}`)
      if (String(value).startsWith(mark)) return String(value).slice(mark.length)
    }
  }
  await next('READY')
  const ask = async (sql: string, set: Readonly<Record<string, string>> = {}): Promise<Answer> => {
    child.stdin.write(`${JSON.stringify({ sql, set })}\n`)
    return JSON.parse(await next('ANSWER ')) as Answer
  }
  return {
    async sql(statement, set) {
      const { rows, error } = await ask(statement, set)
      assert.ok(rows, `${statement}: ${error}`)
      return rows
    },
    async refused(statement, set) {
      const { error } = await ask(statement, set)
      assert.ok(error !== undefined, `${statement} was carried out`)
      return error
    },
    async close() {
      child.stdin.end()
      await ended
    },
  }
}
