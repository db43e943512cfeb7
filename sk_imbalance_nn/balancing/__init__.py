"""What a row weighs: class weights, index plans for an epoch, priors."""
