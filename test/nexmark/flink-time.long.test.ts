// What follows the time of rows in a real Flink cluster, as `print-flink` writes it, over Nexmark's streams so close together that many
// rows have one time: 25 events a millisecond, so that all of one time lie in one partition, whose order Flink keeps.
import { testTimeQueries } from './time-queries.ts'

testTimeQueries('milliseconds')
