// A real HDFS to test against: Hadoop's mini cluster, resolved with Maven at pinned versions into .cache, with WebHDFS on free
// loopback ports. `node scripts/servers/webhdfs.ts` installs it; tests call `startWebHdfs`. Needs Java 17 and Maven.
import { spawn } from 'node:child_process'
import { existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { delimiter, dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { run } from './run.ts'

const HADOOP = '3.4.2'
const ARTIFACTS = [
  `org.apache.hadoop:hadoop-client-minicluster:${HADOOP}`,
  `org.apache.hadoop:hadoop-client-api:${HADOOP}`,
  `org.apache.hadoop:hadoop-client-runtime:${HADOOP}`,
  'org.mockito:mockito-core:4.11.0',
  'junit:junit:4.13.2',
  // Jersey, inside of the mini cluster, takes these from the Java of before 11.
  'javax.xml.bind:jaxb-api:2.3.1',
  'com.sun.xml.bind:jaxb-impl:2.3.9',
  'org.slf4j:slf4j-nop:1.7.36',
]
const START_MS = 120_000

const folder = dirname(fileURLToPath(import.meta.url))
const root = dirname(dirname(folder))
const home = join(root, '.cache', `webhdfs-${HADOOP}`)

/** A class path, or why there is none. */
export function installWebHdfs(): { readonly classPath: string } | { readonly missing: string } {
  const classPath = [join(home, 'classes'), join(home, 'lib', '*')].join(delimiter)
  if (existsSync(join(home, 'complete'))) return { classPath }
  rmSync(home, { recursive: true, force: true })
  mkdirSync(home, { recursive: true })
  writeFileSync(join(home, 'pom.xml'), pom())
  const repository = `-Dmaven.repo.local=${join(root, '.cache', 'maven')}`
  const copy = 'org.apache.maven.plugins:maven-dependency-plugin:3.8.1:copy-dependencies'
  const failed =
    run('mvn', ['-q', '-B', '-f', join(home, 'pom.xml'), repository, copy, `-DoutputDirectory=${join(home, 'lib')}`]) ??
    run('javac', ['-nowarn', '-d', join(home, 'classes'), '-cp', join(home, 'lib', '*'), join(folder, 'WebHdfs.java')])
  if (failed) return { missing: failed }
  writeFileSync(join(home, 'complete'), ARTIFACTS.join('\n'))
  return { classPath }
}

function pom(): string {
  const dependencies = ARTIFACTS.map((artifact) => {
    const [group, name, version] = artifact.split(':')
    return `<dependency><groupId>${group}</groupId><artifactId>${name}</artifactId><version>${version}</version></dependency>`
  })
  return `<project><modelVersion>4.0.0</modelVersion><groupId>millrace</groupId><artifactId>webhdfs</artifactId><version>1</version>
<packaging>pom</packaging><dependencies>${dependencies.join('\n')}</dependencies></project>\n`
}

export interface HdfsServer {
  /** Of the name node. */
  readonly url: string
  stop(): void
}

/** A running file system with nothing in it, or why there is none. */
export async function startWebHdfs(): Promise<HdfsServer | { readonly missing: string }> {
  const installed = installWebHdfs()
  if ('missing' in installed) return installed
  const directory = mkdtempSync(join(tmpdir(), 'millrace-hdfs-'))
  const server = spawn('java', ['-Xmx512m', '-cp', installed.classPath, 'WebHdfs', directory], { stdio: ['pipe', 'pipe', 'pipe'] })
  const stop = (): void => {
    server.kill('SIGKILL')
    rmSync(directory, { recursive: true, force: true })
  }
  let errors = ''
  server.stderr.on('data', (chunk: Buffer) => {
    errors = `${errors}${chunk}`.slice(-2_000)
  })
  const url = await new Promise<string | undefined>((resolve) => {
    const late = setTimeout(() => resolve(undefined), START_MS)
    server.once('error', (error) => {
      errors += error.message
      resolve(undefined)
    })
    server.once('exit', () => resolve(undefined))
    server.stdout.on('data', (chunk: Buffer) => {
      clearTimeout(late)
      resolve(/http:\S+/.exec(String(chunk))?.[0])
    })
  })
  if (url) return { url, stop }
  stop()
  return { missing: `HDFS does not start: ${errors.trim()}` }
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const result = installWebHdfs()
  console.log('classPath' in result ? `HDFS is installed: ${home}` : result.missing)
  process.exitCode = 'classPath' in result ? 0 : 1
}
