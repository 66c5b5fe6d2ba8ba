// Spark with Iceberg's own library, the writers that others' tables come from: the pyspark wheel carries Spark, Maven brings
// the Iceberg runtime; both at pinned versions, into .cache. `node scripts/servers/spark.ts` installs them. Needs Java 17.
import { existsSync, mkdirSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { run } from './run.ts'

const PACKAGES = ['pyspark==3.5.8']
const ICEBERG = { artifact: 'org.apache.iceberg:iceberg-spark-runtime-3.5_2.12:1.10.1', jar: 'iceberg-spark-runtime-3.5_2.12-1.10.1.jar' }
const COPY = 'org.apache.maven.plugins:maven-dependency-plugin:3.8.1:copy'

const root = dirname(dirname(dirname(fileURLToPath(import.meta.url))))
const home = join(root, '.cache', 'spark-3.5.8-iceberg-1.10.1')

export interface Spark {
  /** Python that has pyspark. */
  readonly python: string
  /** The Iceberg runtime, for `spark.jars`. */
  readonly jar: string
}

/** Where Spark is, or why there is none. */
export function installSpark(): Spark | { readonly missing: string } {
  const spark = { python: join(home, 'bin', 'python'), jar: join(home, ICEBERG.jar) }
  const java = run('java', ['-version'])
  if (java) return { missing: java }
  if (existsSync(join(home, 'complete'))) return spark
  rmSync(home, { recursive: true, force: true })
  mkdirSync(dirname(home), { recursive: true })
  const failed =
    run('python3', ['-m', 'venv', home]) ??
    run(spark.python, ['-m', 'pip', 'install', '--quiet', '--disable-pip-version-check', ...PACKAGES]) ??
    run('mvn', ['--batch-mode', '--quiet', COPY, `-Dartifact=${ICEBERG.artifact}`, `-DoutputDirectory=${home}`])
  if (failed) return { missing: failed }
  // Written last, under its name in one step: an interrupted installation is begun anew.
  writeFileSync(join(home, 'complete.new'), [...PACKAGES, ICEBERG.artifact].join('\n'))
  renameSync(join(home, 'complete.new'), join(home, 'complete'))
  return spark
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const result = installSpark()
  console.log('python' in result ? `Spark is installed: ${result.python}` : result.missing)
  process.exitCode = 'python' in result ? 0 : 1
}
