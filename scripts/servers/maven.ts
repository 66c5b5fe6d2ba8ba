// Jars from Maven Central for the servers and tests that are written in Java: resolved with Maven, at the versions that are given,
// into one directory. What was resolved stays as long as the list is the same.
import { existsSync, mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { run } from './run.ts'

/**
 * Puts the jars, group:artifact:version[:classifier], with what they need themselves into `<home>/lib`; those with a classifier come
 * alone. Undefined, or why it did not succeed.
 */
export function resolveJars(home: string, artifacts: readonly string[]): string | undefined {
  const done = join(home, 'complete')
  if (existsSync(done) && readFileSync(done, 'utf8') === artifacts.join('\n')) return undefined
  rmSync(home, { recursive: true, force: true })
  mkdirSync(home, { recursive: true })
  writeFileSync(join(home, 'pom.xml'), pom(artifacts))
  const failed = run('mvn', [
    '-q',
    '-B',
    '-f',
    join(home, 'pom.xml'),
    `-Dmaven.repo.local=${join(dirname(home), 'maven')}`,
    'org.apache.maven.plugins:maven-dependency-plugin:3.8.1:copy-dependencies',
    `-DoutputDirectory=${join(home, 'lib')}`,
  ])
  if (failed) return failed
  writeFileSync(`${done}.new`, artifacts.join('\n'))
  renameSync(`${done}.new`, done)
  return undefined
}

function pom(artifacts: readonly string[]): string {
  const dependencies = artifacts.map((artifact) => {
    const [group, name, version, classifier] = artifact.split(':')
    const kind = classifier
      ? `<classifier>${classifier}</classifier><exclusions><exclusion><groupId>*</groupId><artifactId>*</artifactId></exclusion></exclusions>`
      : ''
    return `<dependency><groupId>${group}</groupId><artifactId>${name}</artifactId><version>${version}</version>${kind}</dependency>`
  })
  return `<project><modelVersion>4.0.0</modelVersion><groupId>millrace</groupId><artifactId>jars</artifactId><version>1</version>
<packaging>pom</packaging><dependencies>${dependencies.join('\n')}</dependencies></project>\n`
}
