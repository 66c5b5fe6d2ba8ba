// The lake alone, over its own interface: commits a second with fsync, time to plan over many files, a point query on 10,000
// files, upserts by key, the full scan before and after compaction; PyIceberg in the same run. `--only` one case (commits, plan,
// questions, upserts), `--seconds` a case of commits (4), `--large` adds 100,000 files and 10 M rows, `--spark` adds Spark.
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { measureCommits } from './lake/commits.ts'
import { printFloors } from './lake/figures.ts'
import { measurePlanning } from './lake/planning.ts'
import { measureQuestions } from './lake/questions.ts'
import { measureUpserts, measureVectors } from './lake/upserts.ts'
import { openWorkbench, type Workbench } from './lake/workbench.ts'

const { values } = parseArgs({
  options: {
    only: { type: 'string' },
    seconds: { type: 'string', default: '4' },
    large: { type: 'boolean', default: false },
    spark: { type: 'boolean', default: false },
    directory: { type: 'string', default: tmpdir() },
  },
})

const CASES: Readonly<Record<string, (bench: Workbench) => Promise<void>>> = {
  commits: (bench) => measureCommits(bench, { seconds: Number(values.seconds), isAgainstSpark: values.spark }),
  plan: (bench) => measurePlanning(bench, [100, 10_000, ...(values.large ? [100_000] : [])]),
  questions: (bench) => measureQuestions(bench, values.spark),
  async upserts(bench) {
    await measureUpserts(bench, 1_000_000, values.spark)
    await measureVectors(bench, 1_000_000)
    if (values.large) await measureUpserts(bench, 10_000_000, values.spark)
    if (values.large) await measureVectors(bench, 10_000_000)
  },
}

if (values.only !== undefined && !(values.only in CASES))
  throw new Error(`--only ${values.only}: there are ${Object.keys(CASES).join(', ')}`)
const directory = mkdtempSync(join(values.directory, 'millrace-bench-'))
const bench = await openWorkbench(directory)
try {
  for (const [name, measure] of Object.entries(CASES)) if (values.only === undefined || values.only === name) await measure(bench)
} finally {
  await bench.close()
  rmSync(directory, { recursive: true, force: true })
}
process.exitCode = printFloors() ? 0 : 1
