//! Both providers under the same cases.
