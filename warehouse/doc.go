// Package warehouse answers specs over immutable Parquet segments with DuckDB.
// It is the only importer of DuckDB and it is pure: segment files in, answers
// and files out. Which segments make up a dataset is known to domain/datasets.
package warehouse
