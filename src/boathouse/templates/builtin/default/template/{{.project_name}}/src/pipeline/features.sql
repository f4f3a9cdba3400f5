-- What a row has to be like before anything is learnt from it. Dropped rows go to features_quarantine, with the reason.

CREATE OR REFRESH MATERIALIZED VIEW features (
  CONSTRAINT has_patient EXPECT (patient IS NOT NULL) ON VIOLATION FAIL UPDATE,
  CONSTRAINT plausible_age EXPECT (age BETWEEN 0 AND 120) ON VIOLATION DROP ROW,
  CONSTRAINT plausible_bmi EXPECT (bmi BETWEEN 10 AND 80) ON VIOLATION DROP ROW
)
COMMENT 'One row a patient: measurements, and the progression of the disease a year later'
AS SELECT patient, age, sex, bmi, bp, s1, s2, s3, s4, s5, s6, progression FROM raw;
