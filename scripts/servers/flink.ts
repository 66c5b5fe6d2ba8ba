// Flink with Iceberg's sink, whose upserts write equality deletes: the wheel `apache-flink-libraries` carries Flink, Maven
// brings the Iceberg runtime and Hadoop's client; all at pinned versions, into .cache. `node scripts/servers/flink.ts`
// installs them. Needs Java 17.
import { existsSync, mkdirSync, readdirSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { run } from './run.ts'

const PACKAGE = 'apache-flink-libraries==1.20.1'
const ARTIFACTS = [
  'org.apache.iceberg:iceberg-flink-runtime-1.20:1.10.1',
  'org.apache.hadoop:hadoop-client-api:3.3.6',
  'org.apache.hadoop:hadoop-client-runtime:3.3.6',
  'commons-logging:commons-logging:1.3.5',
]
const COPY = 'org.apache.maven.plugins:maven-dependency-plugin:3.8.1:copy'
/** Packages of the JDK that Flink's serializers look into. */
const OPENED = [
  'java.util',
  'java.lang',
  'java.lang.invoke',
  'java.io',
  'java.net',
  'java.nio',
  'java.time',
  'java.math',
  'java.util.concurrent',
]

const root = dirname(dirname(dirname(fileURLToPath(import.meta.url))))
const home = join(root, '.cache', 'flink-1.20.1-iceberg-1.10.1')

/** Arguments of `java` that come before the program, or why there are none. */
export function installFlink(): { readonly java: readonly string[] } | { readonly missing: string } {
  const failed = run('java', ['-version']) ?? (existsSync(join(home, 'complete')) ? undefined : install())
  if (failed) return { missing: failed }
  const python = readdirSync(join(home, 'lib')).find((name) => name.startsWith('python'))!
  const flink = join(home, 'lib', python, 'site-packages', 'pyflink', 'lib', '*')
  const opens = OPENED.map((name) => `--add-opens=java.base/${name}=ALL-UNNAMED`)
  return { java: [...opens, '-cp', `${flink}:${join(home, 'jars', '*')}`] }
}

function install(): string | undefined {
  rmSync(home, { recursive: true, force: true })
  mkdirSync(dirname(home), { recursive: true })
  const pip = ['-m', 'pip', 'install', '--quiet', '--disable-pip-version-check', '--no-deps', PACKAGE]
  const failed = run('python3', ['-m', 'venv', home]) ?? run(join(home, 'bin', 'python'), pip)
  if (failed) return failed
  for (const artifact of ARTIFACTS) {
    const copied = run('mvn', ['--batch-mode', '--quiet', COPY, `-Dartifact=${artifact}`, `-DoutputDirectory=${join(home, 'jars')}`])
    if (copied) return copied
  }
  // Written last, under its name in one step: an interrupted installation is begun anew.
  writeFileSync(join(home, 'complete.new'), [PACKAGE, ...ARTIFACTS].join('\n'))
  renameSync(join(home, 'complete.new'), join(home, 'complete'))
  return undefined
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const result = installFlink()
  console.log('java' in result ? `Flink is installed: ${home}` : result.missing)
  process.exitCode = 'java' in result ? 0 : 1
}
