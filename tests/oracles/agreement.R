# What R says of designs: reads JSON lines from designs.jsonl, writes results.jsonl.
# Each line in: {"scores": [[...], ...]}, subjects by raters, null where not rated.
suppressPackageStartupMessages({library(psych); library(vcd); library(epiR); library(jsonlite)})
options(digits = 17)

one <- function(line) {
  scores <- fromJSON(line)$scores
  complete <- scores[complete.cases(scores), , drop = FALSE]
  icc <- tryCatch({
    found <- suppressWarnings(ICC(complete, missing = FALSE, lmer = FALSE))$results
    list(value = found$ICC, low = found[["lower bound"]], high = found[["upper bound"]])
  }, error = function(e) NULL)
  pair <- scores[complete.cases(scores[, 1:2]), 1:2]
  values <- seq(min(pair), max(pair))
  counts <- table(factor(pair[, 1], values), factor(pair[, 2], values))
  kappa <- tryCatch({
    linear <- Kappa(counts, weights = "Equal-Spacing")
    quadratic <- Kappa(counts, weights = "Fleiss-Cohen")
    by_psych <- suppressWarnings(suppressMessages(cohen.kappa(as.matrix(counts))))
    list(unweighted = unname(linear$Unweighted["value"]), linear = unname(linear$Weighted["value"]),
         quadratic = unname(quadratic$Weighted["value"]),
         psych = by_psych$kappa, psych_quadratic = by_psych$weighted.kappa)
  }, error = function(e) NULL)
  ccc <- tryCatch({
    found <- epi.ccc(pair[, 1], pair[, 2], ci = "z-transform", conf.level = 0.95)$rho.c
    list(value = found$est, low = found$lower, high = found$upper)
  }, error = function(e) NULL)
  toJSON(list(icc = icc, kappa = kappa, ccc = ccc), auto_unbox = TRUE, digits = NA, na = "null")
}

writeLines(vapply(readLines("designs.jsonl"), one, ""), "results.jsonl")
versions <- sapply(c("psych", "vcd", "epiR"), function(name) as.character(packageVersion(name)))
writeLines(toJSON(as.list(c(R = as.character(getRversion()), versions)), auto_unbox = TRUE),
           "versions.json")
