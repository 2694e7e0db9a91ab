/* SPDX-License-Identifier: Apache-2.0 */
/* What the search routes share: experiments, page size, order, page tokens. */
#ifndef BH_MLFLOW_SEARCH_H
#define BH_MLFLOW_SEARCH_H

#include "mlflow/access.h"
#include "mlflow/filter.h"
#include "store/mlflow_search.h"

#define SEARCH_MAX_EXPERIMENTS 5000

struct search_page {
    struct mlflow_search search;
    struct mlq q;
    struct ent_experiment *experiments; /* beside search.where */
    str bound;                          /* what page tokens are bound to */
};

/* Those of the ids (list of texts or numbers) that exist and that the caller may read, each once.
 */
err *search_where(struct req *r, jval *ids, struct search_page *p) BH_CHECK;
/* max_results, filter, page_token of the request; kind: what is searched, for the page token. */
err *search_terms(struct req *r, enum filter_domain d, const char *kind, int64_t dflt, int64_t max,
                  struct search_page *p) BH_CHECK;
/* order_by as a list of texts. Before search_terms(). */
err *search_order(struct req *r, enum filter_domain d, struct search_page *p) BH_CHECK;
/* The experiment of a row found. */
const struct ent_experiment *search_experiment(const struct search_page *p, int64_t id);
/* Adds next_page_token. */
void search_next(struct req *r, const struct search_page *p, const struct mlflow_found *found);

#endif
