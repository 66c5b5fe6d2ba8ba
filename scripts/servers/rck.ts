// Iceberg's REST compatibility kit: the tests by which the Java reference checks a catalog server. Resolved with Maven at
// pinned versions into .cache and compiled together with the classes of test/rck/kit: those that switch on what the kit itself
// leaves off, and a program that reads and writes rows. `installKit` answers the class path; nothing is started here. Needs
// Java 17 and Maven.
import { readdirSync, rmSync } from 'node:fs'
import { delimiter, dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { resolveJars } from './maven.ts'
import { run } from './run.ts'

const ICEBERG = '1.11.0'

/** group:artifact:version[:classifier]; what they need themselves comes with those that are no tests. */
const ARTIFACTS = [
  `org.apache.iceberg:iceberg-api:${ICEBERG}`,
  `org.apache.iceberg:iceberg-core:${ICEBERG}`,
  `org.apache.iceberg:iceberg-data:${ICEBERG}`,
  `org.apache.iceberg:iceberg-parquet:${ICEBERG}`,
  `org.apache.iceberg:iceberg-orc:${ICEBERG}`,
  `org.apache.iceberg:iceberg-api:${ICEBERG}:tests`,
  `org.apache.iceberg:iceberg-core:${ICEBERG}:tests`,
  `org.apache.iceberg:iceberg-open-api:${ICEBERG}:tests`,
  `org.apache.iceberg:iceberg-open-api:${ICEBERG}:test-fixtures`,
  'org.apache.hadoop:hadoop-client-api:3.4.3',
  'org.apache.hadoop:hadoop-client-runtime:3.4.3',
  'org.junit.platform:junit-platform-console-standalone:1.14.4',
  'org.assertj:assertj-core:3.27.7',
  'org.mockito:mockito-core:4.11.0',
  'org.awaitility:awaitility:4.3.0',
  'org.slf4j:slf4j-nop:2.0.17',
]

const root = dirname(dirname(dirname(fileURLToPath(import.meta.url))))
const home = join(root, '.cache', `rck-${ICEBERG}`)
const sources = join(root, 'test', 'rck', 'kit')

export interface Kit {
  readonly classPath: string
}

/** The kit, or why there is none. */
export function installKit(): Kit | { readonly missing: string } {
  const libraries = join(home, 'lib')
  const unresolved = resolveJars(home, ARTIFACTS)
  if (unresolved) return { missing: unresolved }
  const classes = join(home, 'classes')
  const files = readdirSync(sources).filter((name) => name.endsWith('.java'))
  rmSync(classes, { recursive: true, force: true })
  const failed = run('javac', ['-nowarn', '-d', classes, '-cp', join(libraries, '*'), ...files.map((name) => join(sources, name))])
  return failed ? { missing: failed } : { classPath: [classes, join(libraries, '*')].join(delimiter) }
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const result = installKit()
  console.log('missing' in result ? result.missing : 'the compatibility kit is installed')
  process.exitCode = 'missing' in result ? 1 : 0
}
